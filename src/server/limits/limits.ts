/**
 * The bounds of the public surface. Each protects the process from one client; none is reached by ordinary use.
 * Sizes in bytes unless the name says otherwise.
 */

/** Path of the GraphQL endpoint, for HTTP and websockets alike. */
export const GRAPHQL_PATH = '/graphql';

/** Path of the figures for Prometheus. */
export const METRICS_PATH = '/metrics';

/** Largest request body and largest websocket message. */
export const MAX_BODY_BYTES = 1_000_000;

/**
 * How much of a body that is too large is still read, and thrown away. A client that is answered while it sends often
 * sees a reset connection instead of the answer.
 */
export const MAX_DISCARDED_BYTES = 64_000_000;

/** Smallest answer that is compressed: a smaller one is one packet either way. */
export const MIN_COMPRESSED_BYTES = 1_400;

/** Longest GraphQL document, in characters; values belong into variables, which only the body's limit bounds. */
export const MAX_QUERY_CHARACTERS = 64_000;

/** Most lexical tokens of a document. The parser stops there, so that no document costs more than that. */
export const MAX_QUERY_TOKENS = 5_000;

/** Deepest nesting of fields; the Relay path jobs → edges → node → executions → edges → node → job takes 7. */
export const MAX_QUERY_DEPTH = 15;

/**
 * Levels of brackets in a document and of objects and lists in variables, whatever they are about. Parsing, checking and
 * executing recurse by them, and a stack that ends is a fault of ours. Must leave room for the JSON of a body, 64 levels.
 */
export const MAX_NESTING = 200;

/**
 * Most fields of an operation after its fragments are written out: fragments that spread one another grow
 * exponentially out of a short document.
 */
export const MAX_QUERY_FIELDS = 2_000;

/** Most aliases of an operation, counted as fields are: the same expensive field can be asked for under many names. */
export const MAX_QUERY_ALIASES = 250;

/**
 * Most `__schema` and `__type` of an operation, counted as fields are. Each may tell of the whole schema, in some 100 KB that
 * are written while everybody else waits.
 */
export const MAX_QUERY_INTROSPECTIONS = 20;

/**
 * Most fields of an answer, its rows counted too: what pages in pages come to at most, lists without a size as they are wont to
 * be; known before anything is executed. A
 * hundred jobs with all that a dashboard shows take less than a third of it. An answer of this size takes half a second of processor time where the
 * fields are columns, and up to 2.5 s where each is an execution or a job to be loaded (on two cores busy with much else).
 */
export const MAX_ANSWER_FIELDS = 200_000;

/** Most bytes of an answer, each value counted as long as it may be; MAX_ANSWER_BYTES sets another number. */
export const MAX_ANSWER_BYTES = 16_000_000;

/** Answers of that size whose bytes may be in flight together, over all transports. */
export const HEAVY_ANSWERS_AT_ONCE = 4;

/** An answer that is smaller than the largest by this factor counts as small: it never waits for others. */
export const SMALL_ANSWERS_TO_A_LARGE_ONE = 16;

/** How long an operation waits for room for its answer before it is refused. */
export const HEAVY_ANSWER_WAIT_MS = 10_000;

/** After this time a client that is refused for the moment may try again. */
export const RETRY_AFTER_SECONDS = 5;

/** Characters of documents whose parsed form is kept for the next request; the parsed form is some 50 times larger. */
export const MAX_CACHED_QUERY_CHARACTERS = 500_000;

/** Most websockets open at once; further upgrades are answered with 503. */
export const MAX_WEBSOCKETS = 20_000;

/** Most operations running at once on one websocket; a further one is answered with an error of its own. */
export const MAX_OPERATIONS_PER_SOCKET = 200;

/**
 * Bytes of the documents and variables of all subscriptions of one websocket, and of one address. A subscription keeps both
 * for as long as it lives, and a parsed document is some 50 times larger.
 */
export const MAX_SUBSCRIPTION_BYTES_PER_SOCKET = 256_000;
export const MAX_SUBSCRIPTION_BYTES_PER_ADDRESS = 64_000_000;

/** Time for a new websocket to send `connection_init`. */
export const CONNECTION_INIT_TIMEOUT_MS = 10_000;

/** How often websockets are pinged; one that has not answered by the next ping is gone. */
export const KEEP_ALIVE_MS = 12_000;

/**
 * Unsent bytes on one websocket above which no more results are made for its subscriptions, and nothing more is read from
 * it, since every message may earn an answer.
 */
export const MAX_BUFFERED_BYTES = 256_000;

/** What waits for one websocket and what is being made for its subscriptions, together. */
export const MAX_HELD_BYTES = 1_000_000;

/** Subscriptions of one websocket for which results are being made at once. */
export const MAX_BATCHES_AT_ONCE = 32;

/** Results of one subscription that are made and sent together, by their size and their number. */
export const BATCH_BYTES = 16_000;
export const MAX_BATCH_RESULTS = 64;

/** How long a result is given to further subscribers that ask for the same, and how many are kept for them in all. */
export const SHARED_RESULT_MS = 1_000;
export const MAX_SHARED_RESULT_BYTES = 8_000_000;

/** How long a client may take in nothing at all of what waits for it, before it is disconnected. */
export const SLOW_READER_TIMEOUT_MS = 60_000;

/** An answer over HTTP that is larger may wait for its client: the kernel takes in smaller ones. */
export const WATCHED_ANSWER_BYTES = 64_000;

/** How long a health check may take before its endpoint answers without it. */
export const HEALTH_TIMEOUT_MS = 2_000;

/** How long `stop` waits for running requests and for clients to close their websockets. */
export const STOP_TIMEOUT_MS = 10_000;

/** Time for a client to send its headers, and its whole request. */
export const HEADERS_TIMEOUT_MS = 20_000;
export const REQUEST_TIMEOUT_MS = 60_000;

/** How long an idle connection is kept: longer than the 60 s of common proxies, which else reuse a closed one. */
export const IDLE_CONNECTION_TIMEOUT_MS = 65_000;

/** How often an event stream says something while there is nothing to tell; proxies close silent connections. */
export const EVENT_STREAM_PING_MS = 12_000;

/** After how long an EventSource that has lost its connection comes back. */
export const EVENT_STREAM_RETRY_MS = 1_000;

/** The same for a client that is refused because the database is away. */
export const EVENT_STREAM_UNAVAILABLE_RETRY_MS = 5_000;
