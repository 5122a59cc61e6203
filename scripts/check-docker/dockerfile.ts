/** One instruction of a Dockerfile, its continued lines joined and its variables still in it. */
export interface Instruction {
  readonly name: string;
  /** Flags such as `--from=build`, by their name without dashes. */
  readonly flags: ReadonlyMap<string, string>;
  /** What follows the flags: a list where it was written as JSON, else one text. */
  readonly value: string | readonly string[];
  readonly line: number;
}

/** What happens between one FROM and the next. */
export interface Stage {
  /** The name after AS, or the stage's number. */
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

const KNOWN = new Set('ARG FROM RUN COPY WORKDIR ENV USER EXPOSE STOPSIGNAL HEALTHCHECK CMD'.split(' '));

/**
 * Reads a Dockerfile into its stages.
 *
 * @throws Error naming the line of an instruction that is unknown here: it could do anything, so nothing that comes
 * after it would be proven
 */
export function parseDockerfile(text: string): Stage[] {
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  const globals = new Map<string, string>();
  for (const instruction of parseInstructions(text)) {
    const { name, value } = instruction;
    if (name === 'FROM') {
      const [base = '', as = '', alias] = expand(String(value), globals).split(/\s+/);
      stages.push({
        name: as.toUpperCase() === 'AS' && alias ? alias : String(stages.length),
        base,
        instructions: [],
      });
    } else if (name === 'ARG' && stages.length === 0) {
      const [key = '', fallback = ''] = String(value).split('=', 2);
      globals.set(key, fallback);
    } else {
      stages.at(-1)?.instructions.push(instruction);
    }
  }
  return stages;
}

/** The text with `$NAME` and `${NAME}` replaced; an unknown name becomes nothing, as in Docker. */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced?: string, bare?: string) => {
    return variables.get(braced ?? bare ?? '') ?? '';
  });
}

function parseInstructions(text: string): Instruction[] {
  const instructions: Instruction[] = [];
  const lines = text.split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const start = index;
    let statement = lines[index]?.trim() ?? '';
    if (statement === '' || statement.startsWith('#')) continue;
    while (statement.endsWith('\\')) {
      index += 1;
      const next = lines[index]?.trim() ?? '';
      // A comment between continued lines belongs to none of them.
      if (!next.startsWith('#')) statement = `${statement.slice(0, -1).trimEnd()} ${next}`;
    }
    instructions.push(parseInstruction(statement, start + 1));
  }
  return instructions;
}

function parseInstruction(statement: string, line: number): Instruction {
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(statement) ?? [];
  const name = word.toUpperCase();
  if (!KNOWN.has(name)) throw new Error(`Dockerfile line ${line}: ${name} is not known to this check.`);

  const flags = new Map<string, string>();
  let value = rest;
  for (let flag; (flag = /^--([\w-]+)=(\S+)\s*/.exec(value)) !== null; value = value.slice(flag[0].length)) {
    flags.set(flag[1] ?? '', flag[2] ?? '');
  }
  return { name, flags, value: parseList(value) ?? value, line };
}

function parseList(value: string): string[] | undefined {
  if (!value.startsWith('[')) return undefined;
  const list: unknown = JSON.parse(value);
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) return undefined;
  return list;
}
