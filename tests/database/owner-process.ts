// A process that owns an embedded database. A test starts it with a data folder. It writes the connection string when
// the server answers, and stops the server on SIGINT as the scheduler does.
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts';
import { FAST } from './fast-settings.ts';

const server = await startEmbeddedPostgres({ dataDir: process.argv[2] ?? '', settings: FAST });
process.once('SIGINT', () => {
  process.stdout.write('stopping\n');
  void server.stop().then(() => process.exit(0));
});
process.once('SIGUSR2', () => {
  throw new Error('a fault that nobody caught');
});
setInterval(() => undefined, 60_000);
process.stdout.write(`${server.connectionString}\n`);
