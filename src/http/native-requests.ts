import type { RequestOptions } from 'node:https';
import type { HandlerFunction, Options } from 'got';

/**
 * Has got tell node of a call only what differs from node's defaults. got itself writes out 35 options, most of them
 * undefined, into an object that node then copies twice: a quarter of the processor time of a call.
 *
 * `createNativeRequestOptions` is an internal of got, so package.json names one version exactly. A new version needs a look at
 * what that method does there, and its number in tests/http/native-requests.test.ts.
 */
export const fewNativeOptions: HandlerFunction = (options, next) => {
  Object.assign(options, { createNativeRequestOptions: () => nativeOptions(options) });
  return next(options);
};

/** The options that `got.extend` and the calls of this folder set. A new option must be named here, too. */
function nativeOptions(options: Options): RequestOptions {
  const { method, headers, dnsLookup: lookup, maxHeaderSize, agent, https } = options;
  const plain = { method, headers, lookup, maxHeaderSize };
  if (!isEncrypted(options)) return { agent: agent.http, ...plain };
  const { certificateAuthority: ca, rejectUnauthorized } = https;
  return { agent: agent.https, ca, rejectUnauthorized, ...plain };
}

function isEncrypted({ url }: Options): boolean {
  return url instanceof URL && url.protocol === 'https:';
}
