import type { LookupAddress, LookupAllOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** All addresses of a host name, in the order in which they should be tried. */
export type ResolveAll = (hostname: string, options: LookupAllOptions) => Promise<LookupAddress[]>;

/**
 * Makes a `lookup` for `net.connect` that checks the addresses before they are used, and asks for a name only once at
 * a time.
 *
 * The system's resolver runs on two of the four threads of libuv's pool: without sharing, a few hundred jobs due in
 * the same second would queue up there behind each other, and behind any one name whose server does not answer.
 * Nothing is kept once it was answered: how long an answer holds is the resolver's to know.
 *
 * @param refuse the error to fail with, or null where the addresses may be used
 */
export function createLookup(
  resolveAll: ResolveAll,
  refuse: (addresses: LookupAddress[]) => Error | null,
): LookupFunction {
  const underWay = new Map<string, Promise<LookupAddress[]>>();

  const resolveOnce = (hostname: string, options: LookupAllOptions): Promise<LookupAddress[]> => {
    const key = `${hostname} ${String(options.family ?? 0)} ${options.hints ?? 0}`;
    const shared = underWay.get(key);
    if (shared) return shared;
    const answer = Promise.resolve()
      .then(() => resolveAll(hostname, options))
      .finally(() => underWay.delete(key));
    underWay.set(key, answer);
    return answer;
  };

  return (hostname, options, callback) => {
    const { all: wantsAll, ...rest } = options;
    resolveOnce(hostname, { ...rest, all: true }).then(
      (addresses) => {
        const [first] = addresses;
        const refusal = first ? refuse(addresses) : notFound(hostname);
        if (refusal || !first) {
          callback(refusal, []);
        } else if (wantsAll) {
          callback(null, addresses);
        } else {
          callback(null, first.address, first.family);
        }
      },
      (error: unknown) => {
        callback(error as NodeJS.ErrnoException, []);
      },
    );
  };
}

/** A resolver that answers "no addresses" without an error would leave `net.connect` with nothing to say. */
function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no address.`), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
  });
}
