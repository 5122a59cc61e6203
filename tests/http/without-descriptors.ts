/** Uses up the descriptors of its process, makes one call, and prints its outcome. */
import { openSync, closeSync } from 'node:fs';
import { newSender, request, unhurried } from './sending.ts';

const sender = newSender();
// Whatever is opened at a first call is opened now.
await sender.sendAttempt(request('http://127.0.0.1:1/'), unhurried());
const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch {
  // There are no more.
}
const { outcome } = await sender.sendAttempt(request(process.argv[2] ?? ''), unhurried());
for (const descriptor of held) closeSync(descriptor);
process.stdout.write(JSON.stringify(outcome));
sender.close();
