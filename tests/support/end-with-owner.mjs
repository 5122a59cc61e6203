// Loaded into a server under test before its own code: ends it when the pipe on its standard input does, which the
// system brings about however the test's process ends. A run that is killed leaves no server behind.
import process from 'node:process';

process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
process.stdin.on('error', () => process.kill(process.pid, 'SIGKILL'));
process.stdin.resume();
process.stdin.unref();
