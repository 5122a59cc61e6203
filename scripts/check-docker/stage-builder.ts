import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { IgnoreRules } from './build-context.ts';
import { copy } from './copy.ts';
import type { CopySource } from './copy.ts';
import { expand } from './dockerfile.ts';
import type { Instruction, Stage } from './dockerfile.ts';
import { asRunner, giveTo, RUNNER } from './runner.ts';

/** A stage laid out in a folder that stands for the root of its file system. */
export interface BuiltStage {
  readonly folder: string;
  workdir: string;
  readonly env: Map<string, string>;
  user: string;
  cmd: readonly string[];
  healthcheck: readonly string[];
  stopSignal: string;
}

export interface BuildOptions {
  /** What COPY without --from copies from. */
  readonly context: CopySource;
  /** An empty folder for the stages. */
  readonly workspace: string;
  /** What commands get besides the stage's own ENV. */
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly log: (text: string) => void;
}

const KEEP_ALL: IgnoreRules = { ignores: () => false, mayKeepWithin: () => true };

/**
 * Carries out a stage's instructions in a folder. RUN commands run as the unprivileged runner, who owns the folder
 * then; in a stage without any, each file keeps the owner that it would have in the image.
 *
 * @throws Error naming the line of an instruction that fails, or that cannot be carried out here
 */
export function buildStage(
  stage: Stage,
  built: ReadonlyMap<string, BuiltStage>,
  options: BuildOptions,
): BuiltStage {
  const folder = join(options.workspace, `stage-${stage.name}`);
  mkdirSync(folder);
  const result: BuiltStage = {
    folder,
    workdir: '/',
    env: new Map(),
    user: '0:0',
    cmd: [],
    healthcheck: [],
    stopSignal: 'SIGTERM',
  };
  for (const instruction of stage.instructions) {
    const { name, value, line } = instruction;
    options.log(`${stage.name}: ${name} ${String(value)}`);
    try {
      carryOut(instruction, result, built, options);
    } catch (error) {
      throw new Error(`Dockerfile line ${line}: ${name} failed.`, { cause: error });
    }
  }
  return result;
}

function carryOut(
  { name, value, flags }: Instruction,
  stage: BuiltStage,
  built: ReadonlyMap<string, BuiltStage>,
  options: BuildOptions,
): void {
  const here = join(stage.folder, stage.workdir);
  const text = String(value);
  switch (name) {
    case 'ENV':
      setEnv(stage.env, expand(text, stage.env));
      break;
    case 'WORKDIR':
      stage.workdir = resolve(stage.workdir, expand(text, stage.env));
      mkdirSync(join(stage.folder, stage.workdir), { recursive: true });
      break;
    case 'USER':
      stage.user = text;
      break;
    case 'STOPSIGNAL':
      stage.stopSignal = text;
      break;
    case 'CMD':
      stage.cmd = asList(value);
      break;
    case 'HEALTHCHECK':
      stage.healthcheck = asHealthcheck(text);
      break;
    case 'COPY':
      copy(
        expand(text, stage.env).split(/\s+/),
        sourceOf(flags, built, options),
        here,
        flags.get('chown') ?? '0:0',
      );
      break;
    case 'RUN':
      giveTo(stage.folder, RUNNER, RUNNER);
      run(text, here, { ...options.baseEnv, ...Object.fromEntries(stage.env) });
      break;
  }
}

function sourceOf(
  flags: Instruction['flags'],
  built: ReadonlyMap<string, BuiltStage>,
  options: BuildOptions,
): CopySource {
  const from = flags.get('from');
  if (from === undefined) return options.context;
  const folder = built.get(from)?.folder;
  if (folder === undefined) throw new Error(`There is no stage "${from}" before this one.`);
  return { folder, rules: KEEP_ALL };
}

function setEnv(env: Map<string, string>, text: string): void {
  const [, key, value] = /^(\w+)=(\S*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined)
    throw new Error('Only one NAME=value without blanks is known here.');
  env.set(key, value);
}

function run(command: string, cwd: string, env: Record<string, string>): void {
  if (/(?:^|[\s=])\//.test(command)) {
    throw new Error(`"${command}" names an absolute path, which here would be one of this machine.`);
  }
  execFileSync('/bin/sh', ['-c', command], {
    cwd,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...asRunner,
  });
}

function asList(value: string | readonly string[]): readonly string[] {
  if (typeof value === 'string')
    throw new Error('Write it as a list: a shell in between would not pass signals on.');
  return value;
}

function asHealthcheck(text: string): readonly string[] {
  const list = /^CMD\s+(\[.*\])$/.exec(text)?.[1];
  if (list === undefined) throw new Error('Write it as CMD and a list.');
  return JSON.parse(list) as string[];
}
