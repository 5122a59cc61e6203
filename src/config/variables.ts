import { LOG_LEVELS } from '../logging/level.ts';
import {
  addressRanges,
  apiKey,
  baseUrl,
  filePath,
  folder,
  hostNames,
  integer,
  listenHost,
  mailSender,
  oneOf,
  plainName,
  postgresUrl,
  signingSecret,
  smtpUrl,
  trueOrFalse,
  webOrigins,
} from './parsers.ts';
import type { Kind } from './parsers.ts';

/** One environment variable: what it is called, what it may hold, and what holds when it is not set. */
export interface Variable<T> {
  readonly name: string;
  readonly kind: Kind<T>;
  /** The default, spelled as one would write it in the environment; absent where leaving it out has a meaning. */
  readonly fallback?: string;
  /** For a variable without a fallback: what leaving it out means. */
  readonly whenUnset?: string;
  /** For a variable without a fallback: a value to show in `.env.example`. */
  readonly example?: string;
  readonly description: string;
}

interface Required<T> extends Variable<T> {
  readonly fallback: string;
}

interface Optional<T> extends Variable<T | undefined> {
  readonly whenUnset: string;
  readonly example: string;
}

function withDefault<T>(name: string, fallback: string, kind: Kind<T>, description: string): Required<T> {
  return { name, fallback, kind, description };
}

function optional<T>(
  name: string,
  kind: Kind<T>,
  texts: { whenUnset: string; example: string; description: string },
): Optional<T> {
  return { name, kind, ...texts };
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Every variable that the scheduler reads. Parsing, `.env.example` and the README's table all follow this table;
 * the keys are those of `Config`.
 */
export const VARIABLES = {
  port: withDefault('PORT', '3000', integer(0, 65_535), 'Port of the HTTP server; 0 takes any free one.'),
  host: withDefault(
    'HOST',
    '127.0.0.1',
    listenHost(),
    'Address to listen on. With one that other machines reach, such as 0.0.0.0, callers need API keys; see AUTH_MODE.',
  ),
  authMode: optional('AUTH_MODE', oneOf(['keys', 'none']), {
    whenUnset: 'none while HOST is loopback; any other HOST needs a choice',
    example: 'keys',
    description:
      'Who is let in: `keys` callers with an API key, `none` everybody, who may do everything. See docs/security.md.',
  }),
  isOpenOnPurpose: withDefault(
    'I_KNOW_THIS_IS_OPEN',
    'false',
    trueOrFalse(),
    'Confirms AUTH_MODE=none where HOST is an address that other machines reach.',
  ),
  bootstrapAdminKey: optional('BOOTSTRAP_ADMIN_KEY', apiKey(), {
    whenUnset: 'a new key, in the file first-admin-key in DATA_DIR',
    example: '',
    description:
      'The first API key, with the role ADMIN. It is taken where no key was ever created, and has no effect afterwards.',
  }),
  publicUrl: optional('PUBLIC_URL', baseUrl(), {
    whenUnset: 'http://HOST:PORT, with localhost where HOST is every address',
    example: 'https://scheduler.example.com',
    description:
      'Where targets reach this server, or the proxy before all instances: jobs with completion CALLBACK are called back there.',
  }),
  allowedHosts: optional('ALLOWED_HOSTS', hostNames(), {
    whenUnset: 'any where HOST is an address that others reach and PUBLIC_URL is not set, else none',
    example: 'scheduler.example.com',
    description:
      'Names by which clients may ask for the server, besides IP addresses, localhost, names without a dot, and those in HOST, PUBLIC_URL and CORS_ORIGINS. It keeps web pages out that have a name of their own lead to the server.',
  }),
  databaseUrl: optional('DATABASE_URL', postgresUrl(), {
    whenUnset: 'an embedded PostgreSQL in DATA_DIR',
    example: 'postgresql://scheduler:secret@localhost:5432/job_scheduler',
    description: 'PostgreSQL 14 or newer to keep everything in; may lead through a transaction pooler.',
  }),
  databaseDirectUrl: optional('DATABASE_DIRECT_URL', postgresUrl(), {
    whenUnset: 'DATABASE_URL',
    example: 'postgresql://scheduler:secret@localhost:5432/job_scheduler',
    description:
      'Connection for LISTEN and migrations, past the pooler; needed only where DATABASE_URL leads through a transaction pooler.',
  }),
  databaseMigrationUrl: optional('DATABASE_MIGRATION_URL', postgresUrl(), {
    whenUnset: 'DATABASE_DIRECT_URL',
    example: 'postgresql://owner:secret@localhost:5432/job_scheduler',
    description:
      'Connection of the role that owns the tables, for migrations. With it, the role of DATABASE_URL only reads and writes rows; the start makes that role where it is missing.',
  }),
  databasePoolMax: withDefault(
    'DATABASE_POOL_MAX',
    '20',
    integer(2, 1000),
    'Most connections to the database for the engine and for changes by the API, besides one for leases and one to listen on.',
  ),
  databaseApiPoolMax: withDefault(
    'DATABASE_API_POOL_MAX',
    '4',
    integer(2, 1000),
    'Most connections to the database for what the API reads, so that no query holds up the engine. One caller gets half of them at most.',
  ),
  databaseIdleTimeoutMs: withDefault(
    'DATABASE_IDLE_TIMEOUT_MS',
    '30000',
    integer(0, MAX_TIMER_MS, 'milliseconds'),
    'How long an unused connection is kept; 0 keeps it for good.',
  ),
  databaseConnectTimeoutMs: withDefault(
    'DATABASE_CONNECT_TIMEOUT_MS',
    '2000',
    integer(100, 60_000, 'milliseconds'),
    'How long to wait for a connection before the attempt counts as failed; must be shorter than LEASE_MS.',
  ),
  databaseQueryTimeoutMs: withDefault(
    'DATABASE_QUERY_TIMEOUT_MS',
    '15000',
    integer(1000, 600_000, 'milliseconds'),
    'How long one statement may take before the database ends it. A connection that gives no answer for 2 s longer is closed.',
  ),
  nodeEnv: withDefault(
    'NODE_ENV',
    'development',
    oneOf(['development', 'production', 'test']),
    'Kind of installation. In production the console gets JSON lines where it is no terminal.',
  ),
  logLevel: withDefault('LOG_LEVEL', 'info', oneOf(LOG_LEVELS), 'Least urgent level that is logged.'),
  logDir: withDefault('LOG_DIR', './logs', folder(), 'Folder of the log files; made if missing.'),
  dataDir: withDefault('DATA_DIR', './data', folder(), 'Folder of the embedded database; made if missing.'),
  embeddedPostgresPort: optional('EMBEDDED_POSTGRES_PORT', integer(1, 65_535), {
    whenUnset: 'any free port',
    example: '54329',
    description: 'Port of the embedded PostgreSQL, on 127.0.0.1 only.',
  }),
  pollIntervalMs: withDefault(
    'POLL_INTERVAL_MS',
    '10000',
    integer(100, 600_000, 'milliseconds'),
    'Longest time between two looks for due work when nothing wakes the scheduler earlier.',
  ),
  heartbeatIntervalMs: withDefault(
    'HEARTBEAT_INTERVAL_MS',
    '30000',
    integer(500, 600_000, 'milliseconds'),
    'How often this instance reports that it lives.',
  ),
  leaseMs: withDefault(
    'LEASE_MS',
    '30000',
    integer(2000, 3_600_000, 'milliseconds'),
    'How long a running execution stays with an instance that no longer renews its claim. Shorter recovers sooner from a crash; too short lets a mere pause of the database look like one, and calls are repeated.',
  ),
  maxConcurrency: withDefault(
    'MAX_CONCURRENCY',
    '500',
    integer(1, 10_000),
    'Most HTTP calls that this instance has under way at once. The last fifth is for hosts that have none under way, so that many hosts that hang do not hold up the others.',
  ),
  maxConcurrencyPerHost: withDefault(
    'MAX_CONCURRENCY_PER_HOST',
    '50',
    integer(1, 10_000),
    'Most HTTP calls that this instance has under way at one host and port, so that a host that hangs does not hold up the others.',
  ),
  maxWebsocketsPerAddress: withDefault(
    'MAX_WEBSOCKETS_PER_ADDRESS',
    '12000',
    integer(1, 20_000),
    'Most websockets that one address, or one IPv6 network of 64 bits, has open at once. Behind a proxy all clients have the address of the proxy.',
  ),
  maxSubscriptionsPerAddress: withDefault(
    'MAX_SUBSCRIPTIONS_PER_ADDRESS',
    '20000',
    integer(1, 1_000_000),
    'Most subscriptions that one address, or one IPv6 network of 64 bits, has at once, over websockets and as event streams.',
  ),
  maxAnswerBytes: withDefault(
    'MAX_ANSWER_BYTES',
    '16000000',
    integer(1_000_000, 1_000_000_000),
    'Most bytes of the answer to one operation. Each value counts as long as it may be, before anything is executed.',
  ),
  shutdownGraceMs: withDefault(
    'SHUTDOWN_GRACE_MS',
    '25000',
    integer(0, 3_600_000, 'milliseconds'),
    'How long calls under way may finish after SIGTERM before they are given back. Whatever stops the process (Docker, Kubernetes, systemd) must wait longer than this.',
  ),
  executionRetentionDays: withDefault(
    'EXECUTION_RETENTION_DAYS',
    '30',
    integer(1, 36_500, 'days'),
    'How long finished executions are kept.',
  ),
  eventRetentionHours: withDefault(
    'EVENT_RETENTION_HOURS',
    '24',
    integer(1, 87_600, 'hours'),
    'How long events are kept, and so how long a subscriber may stay away and still resume without a gap.',
  ),
  auditRetentionDays: withDefault(
    'AUDIT_RETENTION_DAYS',
    '365',
    integer(1, 36_500, 'days'),
    'How long the audit log is kept: who did what, also to jobs that are deleted by now.',
  ),
  blockedTargets: withDefault(
    'BLOCKED_TARGETS',
    '169.254.0.0/16,fe80::/10,fd00:ec2::254/128,fd00:ec2::23/128,fd20:ce::254/128,100.100.100.200/32,168.63.129.16/32,192.0.0.192/32',
    addressRanges(),
    'Addresses that no job may call. The default keeps jobs away from the metadata services of cloud machines; add your private ranges where jobs must not reach them. Who blocks 127.0.0.1 or ::1 blocks 0.0.0.0 and :: as well, which lead to the same machine.',
  ),
  redirectTargets: withDefault(
    'REDIRECT_TARGETS',
    'none',
    addressRanges(),
    'Addresses of your own network that targets of the public network may redirect to. All others that are not public (loopback, private, link-local) are BLOCKED_TARGET behind such a redirect.',
  ),
  smtpUrl: optional('SMTP_URL', smtpUrl(), {
    whenUnset: 'no mail is sent, and alerts by EMAIL are refused',
    example: 'smtps://scheduler:secret@smtp.example.com',
    description:
      'Mail server for alerts by EMAIL: smtps:// with TLS from the start (port 465), smtp:// with STARTTLS where the server offers it (port 587). User and password are sent over TLS only, unless the URL ends in ?requireTLS=false.',
  }),
  alertEmailFrom: optional('ALERT_EMAIL_FROM', mailSender(), {
    whenUnset: 'the user of SMTP_URL, else job-scheduler@hostname',
    example: 'Job Scheduler <scheduler@example.com>',
    description: 'Whom alerts by EMAIL come from. The user of SMTP_URL counts where it is an address.',
  }),
  alertSigningSecret: optional('ALERT_SIGNING_SECRET', signingSecret(), {
    whenUnset: 'alerts are sent without a signature',
    example: 'whsec_YOUR-OWN',
    description:
      'Key by which receivers of alerts by WEBHOOK can tell that they come from here (Standard Webhooks).',
  }),
  alertTimeoutMs: withDefault(
    'ALERT_TIMEOUT_MS',
    '10000',
    integer(100, 60_000, 'milliseconds'),
    'How long one try to deliver an alert may take.',
  ),
  alertMaxAttempts: withDefault(
    'ALERT_MAX_ATTEMPTS',
    '12',
    integer(1, 50),
    'Tries to deliver an alert until it is given up. The waits between them double from 10 seconds up to an hour: 12 tries last about three hours.',
  ),
  alertMaxPerMinute: withDefault(
    'ALERT_MAX_PER_MINUTE',
    '5',
    integer(1, 1000),
    'Most messages that one alert, which watches one job, sends about one kind of event in a minute; one more message counts what happens beyond them.',
  ),
  corsOrigins: withDefault(
    'CORS_ORIGINS',
    'none',
    webOrigins(),
    'Web pages of which origins may call the API from a browser, besides its own.',
  ),
  persistedOperations: withDefault(
    'PERSISTED_OPERATIONS',
    'off',
    oneOf(['off', 'allowed', 'required']),
    'Whether clients may name the operations in PERSISTED_OPERATIONS_FILE by their ids (allowed), or can run no others (required).',
  ),
  persistedOperationsFile: optional('PERSISTED_OPERATIONS_FILE', filePath(), {
    whenUnset: 'none',
    example: './persisted-documents.json',
    description: 'JSON object of the documents that clients may run, each under its SHA-256 or another id.',
  }),
  graphiql: withDefault('GRAPHIQL', 'true', trueOrFalse(), 'Whether GraphiQL is served at /graphql.'),
  instanceName: optional('INSTANCE_NAME', plainName(64), {
    whenUnset: "the machine's host name",
    example: 'scheduler-1',
    description: "Beginning of this process's instance id, as shown in scheduler status and logs.",
  }),
} as const satisfies Record<string, Variable<unknown>>;
