import { setTimeout as delay } from 'node:timers/promises';
import { configureLogging, createLogger } from '../../src/logging/logger.ts';

/**
 * Run as a process of its own: logs without end to the console, and says over its message channel that it still
 * turns. It ends when the channel does.
 */
configureLogging({ level: 'info', console: true });
const log = createLogger('Planner');
process.on('disconnect', () => process.exit(0));

for (let turn = 1; ; turn += 1) {
  for (let line = 0; line < 50; line += 1) log.info('Still planning', { turn, padding: 'x'.repeat(1000) });
  process.send?.({ turn, unreadBytes: process.stdout.writableLength });
  await delay(1);
}
