import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { StartError } from '../async/start-error.ts';
import type { AccessDeps } from '../commands/access/api-key-checks.ts';
import { createApiKey } from '../commands/access/create-api-key.ts';
import { revokeApiKey } from '../commands/access/revoke-api-key.ts';
import { rotateApiKey } from '../commands/access/rotate-api-key.ts';
import type { Caller } from '../commands/command-deps.ts';
import type { CommandResult } from '../commands/command-result.ts';
import { ConfigError, loadConfig } from '../config/config.ts';
import { DEFAULT_GRACE_MS, SECRET_BYTES, writeApiKey } from '../domain/access/api-key.ts';
import { type Role, ROLES } from '../domain/access/role.ts';
import { encodePublicId } from '../domain/values/public-id.ts';
import { newUuidV7 } from '../domain/values/uuid-v7.ts';
import { listApiKeys } from '../store/access/api-keys.ts';
import { openDatabase } from './open-database.ts';

const USAGE = `Usage: npm run keys -- <command>

  create --role ROLE [--name NAME] [--expires INSTANT]   creates a key and prints it
  list                                                   shows all keys
  rotate ID [--grace-ms MS]                              gives a key a new text and prints it
  revoke ID                                              revokes a key for good
  generate                                               prints a key for BOOTSTRAP_ADMIN_KEY; stores nothing

ROLE is one of ${ROLES.join(', ')}. INSTANT is such as 2030-01-31T00:00:00Z. MS is how long the former text stays valid,
${DEFAULT_GRACE_MS} where it is left out. The database is that of the server: DATABASE_URL, or the embedded one in DATA_DIR.
`;

const BY_COMMAND_LINE: Caller = { actor: 'command-line', requestId: null, address: null };

/** What the operator wrote wrongly. */
class UsageError extends Error {}

type Options = Partial<Record<'role' | 'name' | 'expires' | 'grace-ms', string>>;
type Command = (deps: AccessDeps, id: string, options: Options) => Promise<string>;

/** What each command does in the database. Each answers with what goes to stdout. */
const COMMANDS: Readonly<Record<string, Command>> = {
  async create(deps, _id, { role, name, expires }) {
    const input = { role: readRole(role), name: name ?? defaultName(role), expiresAt: readInstant(expires) };
    return valueOf(await createApiKey(deps, BY_COMMAND_LINE, input)).text;
  },
  async list({ pool, clock }) {
    const keys = await listApiKeys(pool);
    const now = clock.now();
    const rows = keys.map((key) => [
      encodePublicId('ApiKey', key.id),
      key.role,
      key.revokedAt ? 'revoked' : key.expiresAt && key.expiresAt <= now ? 'expired' : 'valid',
      key.expiresAt?.toISOString() ?? '-',
      key.lastUsedAt?.toISOString() ?? '-',
      key.name,
    ]);
    return tableOf([['id', 'role', 'state', 'expires', 'last used', 'name'], ...rows]);
  },
  async rotate(deps, id, options) {
    const graceMs = readWholeNumber(options['grace-ms']);
    return valueOf(await rotateApiKey(deps, BY_COMMAND_LINE, { id, graceMs })).text;
  },
  async revoke(deps, id) {
    valueOf(await revokeApiKey(deps, BY_COMMAND_LINE, { id }));
    return `${id} is revoked`;
  },
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    process.stdout.write(`${await run(args)}\n`);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n\n${USAGE}`);
      return 2;
    }
    if (!(error instanceof StartError || error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

async function run(args: readonly string[]): Promise<string> {
  const { name, id, options } = readArguments(args);
  if (name === undefined || name === 'help') return USAGE.trimEnd();
  if (name === 'generate') return writeApiKey(newUuidV7(new Date()), randomBytes(SECRET_BYTES));
  const command = COMMANDS[name];
  if (!command) throw new UsageError(`There is no command "${name}".`);
  const needsId = name === 'rotate' || name === 'revoke';
  if (needsId !== (id !== undefined)) {
    throw new UsageError(needsId ? `${name} needs the id of a key.` : `${name} takes no "${id ?? ''}".`);
  }
  if (name === 'create') readRole(options.role);
  const { pool, clock, wake, close } = await openDatabase(loadConfig(process.env));
  try {
    return await command({ pool, clock, wake, randomBytes, newId: newUuidV7 }, id ?? '', options);
  } finally {
    await close();
  }
}

function readArguments(args: readonly string[]): { name?: string; id?: string; options: Options } {
  try {
    const text = { type: 'string' } as const;
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { role: text, name: text, expires: text, 'grace-ms': text, help: { type: 'boolean' } },
    });
    const { help, ...options } = values;
    const [name, id, ...more] = positionals;
    if (more.length > 0) throw new UsageError(`There are too many arguments: ${more.join(' ')}`);
    if (help || name === undefined) return { options };
    return { name, ...(id !== undefined && { id }), options };
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}

function readRole(text: string | undefined): Role {
  const role = ROLES.find((each) => each === text?.toUpperCase());
  if (!role) throw new UsageError(`--role is ${text ?? 'missing'}; allowed: ${ROLES.join(', ')}.`);
  return role;
}

/** Unique, so that several keys can be created without thinking of names. */
function defaultName(role = ''): string {
  return `${role.toLowerCase()} ${new Date().toISOString()}`;
}

function readInstant(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const isInstant = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const at = new Date(text);
  if (!isInstant || Number.isNaN(at.getTime())) {
    throw new UsageError(`--expires is "${text}"; allowed: an instant such as 2030-01-31T00:00:00Z.`);
  }
  return at;
}

function readWholeNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`--grace-ms is "${text}"; allowed: milliseconds.`);
  return Number(text);
}

function valueOf<T>(result: CommandResult<T>): T {
  if (result.ok) return result.value;
  throw new StartError(result.errors.map(({ message }) => message).join('\n'));
}

/** Columns of equal width; the last one is as it is. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
