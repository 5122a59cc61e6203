import got from 'got';
import type { Got } from 'got';
import { whyNoBody } from '../domain/request/http-method.ts';
import type { HttpMethod } from '../domain/request/http-method.ts';
import type { AttemptOutcome } from '../domain/execution/outcome.ts';
import { TIMEOUT_LIMITS_MS, isValidTimeoutMs } from '../domain/request/outgoing-request.ts';
import type { AttemptTimings, OutgoingRequest, ShownRequest } from '../domain/request/outgoing-request.ts';
import { matchesStatus } from '../domain/request/status-pattern.ts';
import { checkTargetUrl } from '../domain/request/target-url.ts';
import { createConnections } from './connections.ts';
import type { Agents } from './connections.ts';
import { exchange } from './exchange.ts';
import type { Exchange, ExchangeOptions, ExchangeSignal } from './exchange.ts';
import { blockedTarget, describeFailure, describeInstanceFault, failure } from './failure.ts';
import type { CallFailure } from './failure.ts';
import { fewNativeOptions } from './native-requests.ts';
import { MAX_REDIRECTS, withoutCredentials } from './redirects.ts';
import type { Hop } from './redirects.ts';
import { buildRequestHeaders, encodeBody, showRequest, userAgent } from './request-headers.ts';
import { MAX_RESPONSE_HEADER_BYTES, boundHeaders } from './response-headers.ts';
import type { AddressCheck, TargetGuard } from './target-guard.ts';
import { StopSignal } from './stop-signal.ts';
import { NO_PHASES, roundMs } from './timings.ts';
import type { PhaseTimings } from './timings.ts';

export type SenderOptions = {
  /** Of the scheduler; stands in the User-Agent. */
  version: string;
  guard: TargetGuard;
  /** PEM certificates to trust instead of the well-known authorities. NODE_EXTRA_CA_CERTS adds to them. */
  certificateAuthority?: string;
};

/**
 * A call that is no attempt of an execution, such as an alert: its headers are sent as they are, beside the scheduler's user
 * agent.
 */
export type PlainCall = {
  method: HttpMethod;
  url: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: string | null;
  /** A redirect whose status is named here is the answer and is not followed. */
  successStatuses?: readonly string[];
  /** The target must not see the call twice, whatever that costs: it gets a connection of its own. */
  atMostOnce?: boolean;
};

export type CallOptions = {
  /** Ends the call with the outcome `aborted`, whatever the reason. One for each call: it tells a single listener. */
  signal: StopSignal<string>;
  /** For the whole call: name lookup, connecting, every redirect and the last byte of the body. */
  timeoutMs: number;
};

export type SentCall = { outcome: AttemptOutcome; timings: AttemptTimings };

/** `request` is the call as it may be shown: the first one, where redirects were followed. */
export type SentAttempt = SentCall & { request: ShownRequest };

export type Sender = {
  /** Makes one attempt's call. Never rejects for what the target did, nor for a request that cannot be sent. */
  sendAttempt: (request: OutgoingRequest, options: CallOptions) => Promise<SentAttempt>;
  /** The same for a call of any other kind. */
  send: (call: PlainCall, options: CallOptions) => Promise<SentCall>;
  /** Sockets open at this moment, in use or kept for the next call. */
  openSockets: () => number;
  /** Aborts what is in flight and closes every connection. Later calls give `aborted` at once. */
  close: () => void;
};

/**
 * Makes the one way out of the process for calls to targets: guarded, bounded in time and memory, without proxies,
 * cookies or retries of its own.
 */
export function createSender(options: SenderOptions): Sender {
  const connections = createConnections();
  const { guard } = options;
  const clients: Clients = {
    kept: createClient(options, connections.agents, guard),
    singleUse: createClient(options, connections.singleUseAgents, guard),
    afterPublic: createClient(options, connections.singleUseAgents, guard.afterPublic),
  };
  const inFlight = new Set<ExchangeSignal>();
  let closed = false;

  const sendAsItIs = async (call: PlainCall, { signal, timeoutMs }: CallOptions): Promise<SentCall> => {
    const startedAtMs = performance.now();
    const sent = (outcome: AttemptOutcome, phases: PhaseTimings = NO_PHASES): SentCall => ({
      outcome,
      timings: { totalMs: roundMs(performance.now() - startedAtMs), ...phases },
    });
    const problem = requestProblem(call, timeoutMs);
    if (problem) return sent({ kind: 'failed', ...problem });
    if (closed || signal.reason !== null) return sent({ kind: 'aborted' });

    const stopSignal: ExchangeSignal = new StopSignal();
    const timer = setTimeout(() => {
      stopSignal.stop('timeout');
    }, timeoutMs);
    signal.listen(() => {
      stopSignal.stop('abort');
    });
    inFlight.add(stopSignal);
    try {
      const { outcome, phases } = await followRedirects(clients, guard, call, stopSignal);
      if (outcome.kind !== 'aborted' || stopSignal.reason !== 'timeout') return sent(outcome, phases);
      return sent({ kind: 'failed', ...timeoutFailure(call.url, timeoutMs) }, phases);
    } finally {
      clearTimeout(timer);
      signal.listen(null);
      inFlight.delete(stopSignal);
    }
  };

  return {
    send: (call, callOptions) =>
      sendAsItIs(
        { ...call, headers: { 'user-agent': userAgent(options.version), ...call.headers } },
        callOptions,
      ),
    async sendAttempt(request, callOptions) {
      const body = encodeBody(request.body);
      const headers = buildRequestHeaders(request, body, options.version);
      const sent = await sendAsItIs({ ...request, headers, body: body?.text ?? null }, callOptions);
      return { request: showRequest(request, headers, body), ...sent };
    },
    openSockets: () => connections.openCount(),
    close() {
      closed = true;
      for (const stopSignal of inFlight) stopSignal.stop('abort');
      connections.close();
    },
  };
}

/** What makes the calls. */
type Clients = {
  /** On connections that are kept. */
  kept: Got;
  /** On one that is made for the call and closed after it. */
  singleUse: Got;
  /** The same, where a public target has redirected the call: a kept connection could lead inward without a lookup. */
  afterPublic: Got;
};

/**
 * One instance of got for all calls over the same agents. Everything that got would do beyond one plain exchange is
 * off: its retries would escape the retry policy, its redirects follow without the guard and read an endless body to
 * its end, its timeouts restart with each redirect.
 */
function createClient(
  { certificateAuthority }: SenderOptions,
  agent: Agents,
  { lookup: dnsLookup }: AddressCheck,
): Got {
  const client = got.extend({
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    allowGetBody: true,
    agent,
    dnsLookup,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    handlers: [fewNativeOptions],
    // What is frozen, got copies for each call property by property.
    mutableDefaults: true,
    ...(certificateAuthority === undefined ? {} : { https: { certificateAuthority } }),
  });
  // Without got's own user agent: headers that a call adds to a copy of others become an object of a shape of its own.
  client.defaults.options.headers = {};
  return client;
}

type Answer = { outcome: AttemptOutcome; phases: PhaseTimings };

/** The last call's phases stand for the whole; the total, taken elsewhere, covers all of them. */
async function followRedirects(
  clients: Clients,
  guard: TargetGuard,
  call: PlainCall,
  signal: ExchangeSignal,
): Promise<Answer> {
  const follows = (status: number) => !matchesStatus(call.successStatuses ?? [], status);
  let hop: Hop = { ...call, url: withoutCredentials(new URL(call.url)), headers: { ...call.headers } };
  let phases = NO_PHASES;
  let isAfterPublic = false;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const blocked = (isAfterPublic ? guard.afterPublic : guard).blockedAddressIn(hop.url);
    if (blocked !== null)
      return { outcome: { kind: 'failed', ...blockedTarget(blocked, hop.url.host) }, phases };

    const options: ExchangeOptions = { signal, follows };
    const result: Exchange = isAfterPublic
      ? await exchange(clients.afterPublic, hop, options)
      : await exchangeRepairing(clients, hop, options, call.atMostOnce ?? false);
    phases = result.phases;
    if (result.kind !== 'redirected') return { outcome: toOutcome(result, hop, redirects > 0), phases };
    isAfterPublic ||= result.from === null || guard.isPublic(result.from);
    hop = result.to;
  }
  const message = `More than ${MAX_REDIRECTS} redirects; the last one led to ${hop.url.host}.`;
  return { outcome: { kind: 'failed', ...failure('TOO_MANY_REDIRECTS', message) }, phases };
}

/**
 * Sends a second time, on a new connection, where a kept one turned out to be closed by the target. Whether the target
 * had read the request cannot be known: at least once allows that, and the call bears the same Idempotency-Key. A call
 * that must not be seen twice never uses a kept connection, and so never meets one that is stale.
 */
async function exchangeRepairing(
  clients: Clients,
  hop: Hop,
  options: ExchangeOptions,
  atMostOnce: boolean,
): Promise<Exchange> {
  const first = await exchange(atMostOnce ? clients.singleUse : clients.kept, hop, options);
  if (first.kind !== 'failed' || !first.staleConnection || atMostOnce) return first;
  return exchange(clients.singleUse, hop, options);
}

/** @param seen whether a target may have seen the call already */
function toOutcome(
  result: Exclude<Exchange, { kind: 'redirected' }>,
  hop: Hop,
  seen: boolean,
): AttemptOutcome {
  switch (result.kind) {
    case 'aborted':
      return { kind: 'aborted' };
    case 'failed':
      return failedOutcome(result.error, hop.url.host, seen);
    case 'responded':
      return {
        kind: 'responded',
        status: result.status,
        headers: boundHeaders(result.headers),
        body: result.body.text,
        bodyTruncated: result.body.truncated,
        retryAfter: result.headers['retry-after'] ?? null,
        noRetry: 'x-job-no-retry' in result.headers,
      };
  }
}

function failedOutcome(error: unknown, host: string, seen: boolean): AttemptOutcome {
  const fault = seen ? null : describeInstanceFault(error, host);
  return fault === null
    ? { kind: 'failed', ...describeFailure(error, host) }
    : { kind: 'instanceFault', message: fault };
}

/** Commands refuse such requests when a job is written; templates and older rows can still give one. */
function requestProblem(call: PlainCall, timeoutMs: number): CallFailure | null {
  if (!isValidTimeoutMs(timeoutMs)) {
    const { min, max } = TIMEOUT_LIMITS_MS;
    return failure(
      'INVALID_REQUEST',
      `The timeout must be a whole number from ${min} to ${max} ms; it is ${timeoutMs}.`,
    );
  }
  const bodyProblem = whyNoBody(call.method, call.body);
  if (bodyProblem !== null) return failure('INVALID_REQUEST', bodyProblem);
  const issue = checkTargetUrl(call.url);
  return issue ? failure('INVALID_REQUEST', `The URL cannot be called. ${issue.message}`) : null;
}

function timeoutFailure(url: string, timeoutMs: number): CallFailure {
  return failure('TIMEOUT', `No complete response from ${new URL(url).host} within ${timeoutMs} ms.`);
}
