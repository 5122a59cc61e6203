import { hostname } from 'node:os';
import { isIP } from 'node:net';
import { findNearMiss } from './near-misses.ts';
import type { Kind, Parsed } from './parsers.ts';
import { VARIABLES } from './variables.ts';
import type { Variable } from './variables.ts';
import { isEmailAddress } from '../domain/alert/email-address.ts';
import { shorten } from '../domain/values/text.ts';

type Values = { [K in keyof typeof VARIABLES]: ValueOf<(typeof VARIABLES)[K]> };
/** Who is let in. */
export type AuthMode = NonNullable<Values['authMode']>;
type ValueOf<V> = V extends Variable<infer T> ? T : never;

/** Everything the environment decides, read once at start. Folders are absolute; unset optional ones are `undefined`. */
export type Config = Readonly<
  Omit<Values, 'instanceName' | 'alertEmailFrom' | 'allowedHosts' | 'authMode'> & {
    instanceName: string;
    alertEmailFrom: string;
    authMode: AuthMode;
    /** In lower case; `*` stands for any. */
    allowedHosts: readonly string[];
    /** Things that are allowed but probably not meant, one sentence each; to be logged at start. */
    warnings: readonly string[];
  }
>;

/** One line of the configuration's reference, as the README and `.env.example` show it. */
export interface ConfigReferenceEntry {
  readonly name: string;
  /** The default as one would write it, or what leaving the variable out means, in brackets. */
  readonly default: string;
  /** A value that may be written: the default, or an example where there is no default. */
  readonly example: string;
  readonly allowed: string;
  readonly description: string;
}

/** The environment holds mistakes; the message lists all of them, ready to be shown to a person. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`;
    super(`The configuration has ${count}:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.mistakes = mistakes;
  }
}

/**
 * Reads the configuration from an environment such as `process.env`. A variable that is empty counts as not set.
 *
 * @throws {ConfigError} naming every mistake at once: the variable, what it holds (passwords hidden), what is allowed
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const mistakes: string[] = [];
  const entries = Object.entries(VARIABLES).map(
    ([key, variable]) => [key, read(variable, env, mistakes)] as const,
  );
  // Each key's value was made by that key's own parser; only the loop over the table hides this from the compiler.
  const values = Object.fromEntries(entries) as Values;

  mistakes.push(...contradictions(values, isSet(env, VARIABLES.databaseUrl.name)));
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return Object.freeze({
    ...values,
    instanceName: values.instanceName ?? hostInstanceName(),
    alertEmailFrom:
      values.alertEmailFrom ?? mailUser(values.smtpUrl) ?? `job-scheduler@${hostInstanceName()}`,
    authMode: values.authMode ?? 'none',
    blockedTargets: Object.freeze(values.blockedTargets),
    redirectTargets: Object.freeze(values.redirectTargets),
    corsOrigins: Object.freeze(values.corsOrigins),
    allowedHosts: Object.freeze(allowedHosts(values)),
    warnings: Object.freeze([...unknownNames(env), ...doubts(values)]),
  });
}

/** Every variable with its default, what it may hold and what it is for, in the order of the documentation. */
export function configReference(): ConfigReferenceEntry[] {
  return Object.values<Variable<unknown>>(VARIABLES).map((variable) => ({
    name: variable.name,
    default: variable.fallback ?? `(${variable.whenUnset ?? 'not set'})`,
    example: variable.fallback ?? variable.example ?? '',
    allowed: variable.kind.allowed,
    description: variable.description,
  }));
}

function read(
  variable: Variable<unknown>,
  env: Readonly<Record<string, string | undefined>>,
  mistakes: string[],
): unknown {
  const text = isSet(env, variable.name) ? env[variable.name] : variable.fallback;
  if (text === undefined) return undefined;

  const kind: Kind<unknown> = variable.kind;
  const parsed: Parsed<unknown> = kind.parse(text);
  if (parsed !== null) return parsed.value;
  mistakes.push(`${variable.name} holds ${quote(kind.show?.(text) ?? text)}; allowed: ${kind.allowed}.`);
  return undefined;
}

function isSet(env: Readonly<Record<string, string | undefined>>, name: string): boolean {
  return env[name] !== undefined && env[name] !== '';
}

/**
 * All names by which clients may ask for the server; `*` stands for any. The names of other servers, whose pages may call it, are
 * allowed with its own: a proxy may serve both.
 */
function allowedHosts(values: Values): string[] {
  const { corsOrigins } = values;
  const others = corsOrigins.filter((origin) => origin !== '*').map((origin) => new URL(origin).hostname);
  return [...new Set([...(goesByAnyName(values) ? ['*'] : ownNames(values)), ...others])];
}

/** Reached by others, under names that nothing tells. */
function goesByAnyName(values: Values): boolean {
  return values.allowedHosts === undefined && ownNames(values).length === 0 && !isLoopback(values.host);
}

function ownNames({ host, publicUrl, allowedHosts = [] }: Values): string[] {
  const listenedOn = isLoopback(host) || isIP(host) !== 0 ? [] : [host.toLowerCase()];
  return [...allowedHosts, ...listenedOn, ...(publicUrl === undefined ? [] : [new URL(publicUrl).hostname])];
}

/** Values that are each allowed and together cannot work. A value that was refused itself is `undefined` here. */
function contradictions(values: Partial<Values>, hasDatabaseUrl: boolean): string[] {
  const { port, embeddedPostgresPort } = values;
  const { databaseConnectTimeoutMs = 0, leaseMs = Infinity } = values;
  const found: string[] = [];
  for (const key of ['databaseDirectUrl', 'databaseMigrationUrl'] as const) {
    if (values[key] === undefined || hasDatabaseUrl) continue;
    found.push(
      `${VARIABLES[key].name} is set, but DATABASE_URL is not; allowed: both, or DATABASE_URL alone.`,
    );
  }
  if (port !== undefined && port === embeddedPostgresPort && !hasDatabaseUrl) {
    found.push(`PORT and EMBEDDED_POSTGRES_PORT both hold "${port}"; allowed: two different ports.`);
  }
  found.push(...openToOthers(values));
  if (databaseConnectTimeoutMs >= leaseMs) {
    found.push(
      `DATABASE_CONNECT_TIMEOUT_MS holds "${databaseConnectTimeoutMs}" and LEASE_MS "${leaseMs}"; allowed: a connect timeout shorter than the lease, since one slow connection would otherwise lose every lease.`,
    );
  }
  const { persistedOperations = 'off', persistedOperationsFile } = values;
  if (persistedOperations !== 'off' && persistedOperationsFile === undefined) {
    found.push(
      `PERSISTED_OPERATIONS holds "${persistedOperations}", but PERSISTED_OPERATIONS_FILE is not set; allowed: both, or neither.`,
    );
  }
  return found;
}

/** Nobody should put a server on a network without having said who is let in. */
function openToOthers({ host, authMode, isOpenOnPurpose }: Partial<Values>): string[] {
  if (host === undefined || isLoopback(host) || authMode === 'keys') return [];
  if (authMode === 'none' && isOpenOnPurpose === true) return [];
  const mode = authMode === undefined ? 'AUTH_MODE is not set' : 'AUTH_MODE holds "none"';
  return [
    `HOST holds "${host}", which other machines reach, and ${mode}; allowed: AUTH_MODE=keys, which lets in callers with an API key, or both AUTH_MODE=none and I_KNOW_THIS_IS_OPEN=true, with which everybody who reaches the port may do everything.`,
  ];
}

function doubts(values: Values): string[] {
  const found: string[] = [];
  if (!isLoopback(values.host) && values.authMode === 'none') {
    found.push(
      `HOST is ${values.host} and AUTH_MODE is none: everybody who reaches port ${values.port} may do everything.`,
    );
  }
  if (values.authMode !== 'keys' && values.bootstrapAdminKey !== undefined) {
    found.push('BOOTSTRAP_ADMIN_KEY has no effect, since AUTH_MODE is not keys.');
  }
  if (isEveryAddress(values.host) && values.publicUrl === undefined) {
    found.push(
      `PUBLIC_URL is not set and HOST is ${values.host}: targets of jobs with completion CALLBACK call back on localhost, which works only for targets on this machine. Set it to where targets reach the server.`,
    );
  }
  if (goesByAnyName(values)) {
    found.push(
      `ALLOWED_HOSTS is not set, and HOST is ${values.host}: a web page can have a name of its own lead to the server, and then calls the API as though it were its own. Set ALLOWED_HOSTS or PUBLIC_URL to the names by which clients ask for it.`,
    );
  }
  if (values.corsOrigins.includes('*') && values.authMode !== 'keys') {
    found.push(
      'CORS_ORIGINS is *: any web page that someone on this network opens can create jobs. Name the origins instead.',
    );
  }
  if (values.leaseMs < 10_000) {
    found.push(
      `LEASE_MS is ${values.leaseMs}: below 10000 a short pause of the process or the database looks like a crash, and calls are repeated.`,
    );
  }
  if (values.smtpUrl === undefined && values.alertEmailFrom !== undefined) {
    found.push('ALERT_EMAIL_FROM has no effect, since SMTP_URL is not set.');
  }
  if (values.persistedOperations === 'off' && values.persistedOperationsFile !== undefined) {
    found.push('PERSISTED_OPERATIONS_FILE has no effect, since PERSISTED_OPERATIONS is off.');
  }
  if (values.databaseUrl !== undefined && values.embeddedPostgresPort !== undefined) {
    found.push('EMBEDDED_POSTGRES_PORT has no effect, since DATABASE_URL is set.');
  }
  return found;
}

function unknownNames(env: Readonly<Record<string, string | undefined>>): string[] {
  const known: string[] = Object.values(VARIABLES).map((variable) => variable.name);
  return Object.keys(env)
    .filter((name) => !known.includes(name))
    .flatMap((name) => {
      const meant = findNearMiss(name, known);
      return meant === undefined
        ? []
        : [`${name} is not a variable of the scheduler; did you mean ${meant}?`];
    });
}

function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** The user of a mail server where that is an address, which then may send as itself. */
function mailUser(smtpUrl: string | undefined): string | undefined {
  const user = smtpUrl === undefined ? '' : decodeURIComponent(new URL(smtpUrl).username);
  return isEmailAddress(user) ? user : undefined;
}

/** The host name as an instance name: other characters than a plain name's become dashes. */
function hostInstanceName(): string {
  return (
    hostname()
      .replace(/[^A-Za-z0-9._-]/g, '-')
      .slice(0, 64) || 'instance'
  );
}

/** In quotes, so that blanks at the ends are seen; control characters escaped, long values cut. */
function quote(text: string): string {
  return JSON.stringify(shorten(text, 200));
}
