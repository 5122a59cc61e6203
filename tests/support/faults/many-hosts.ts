import { onTestFinished } from 'vitest';
import { startTarget, type TargetServer } from '../target-server.ts';

/** A target that is many hosts to whoever calls it, with one record of all their calls. */
export type ManyHosts = {
  target: TargetServer;
  /** One for each host, without a slash at the end. */
  urls: string[];
};

/** Starts one that lasts until the test ends: 127.0.0.1, 127.0.0.2 and so on. */
export async function startHosts(count: number): Promise<ManyHosts> {
  const target = await startTarget({ everyAddress: true });
  onTestFinished(target.close);
  const urls = Array.from({ length: count }, (_, index) =>
    target.url.replace('127.0.0.1', `127.0.0.${index + 1}`),
  );
  return { target, urls };
}
