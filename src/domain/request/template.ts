import { tokenize } from 'micromustache';

/**
 * What a template may name. `trigger` is the execution whose end set this one off; where it was several, the one that
 * ended last. Its values are empty in runs that no dependency set off.
 */
export const TEMPLATE_NAMES = [
  'execution.id',
  'execution.scheduledAt',
  'job.id',
  'job.name',
  'attempt.number',
  'trigger.executionId',
  'trigger.jobId',
  'trigger.status',
  'trigger.responseStatus',
  'trigger.body',
] as const;
export type TemplateName = (typeof TEMPLATE_NAMES)[number];

/** A text for each name; empty where there is none. */
export type TemplateValues = Readonly<Record<TemplateName, string>>;

/** `{{'{'}}` stands for one brace; two of them send what would open a template. */
const BRACE = "'{'";
const MAX_NAME_LENGTH = 64;

/** A text with its templates taken apart: `strings` stand around and between them, one more than there are names. */
export interface ParsedTemplate {
  strings: readonly string[];
  names: readonly (TemplateName | typeof BRACE)[];
}

/** Whether a text holds anything to be filled in: a look that costs nothing, for the many texts that do not. */
export function hasTemplate(text: string): boolean {
  return text.includes('{{');
}

/**
 * Takes a text apart. There are names in double braces and nothing else: no sections, no conditions, no expressions.
 *
 * @returns what was found; or, as a text, what is wrong and what is allowed
 */
export function parseTemplate(text: string): ParsedTemplate | string {
  let tokens;
  try {
    tokens = tokenize(text, { maxVarNameLength: MAX_NAME_LENGTH });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return `Holds a {{ that no name and }} follow; ${KNOWN} ${ESCAPE}`;
  }
  const unknown = tokens.varNames.find((name) => !isKnown(name));
  if (unknown !== undefined) return `{{${unknown}}} is no known name; ${KNOWN} ${ESCAPE}`;
  return { strings: tokens.strings, names: tokens.varNames.filter(isKnown) };
}

const KNOWN = `known are ${TEMPLATE_NAMES.join(', ')}.`;
const ESCAPE = `To send {{ itself, write {{${BRACE}}}{{${BRACE}}}.`;
const KNOWN_NAMES: ReadonlySet<string> = new Set([...TEMPLATE_NAMES, BRACE]);

function isKnown(name: string): name is TemplateName | typeof BRACE {
  return KNOWN_NAMES.has(name);
}

/**
 * Fills a template.
 *
 * @param escape makes a value harmless in the place where it is to stand; it is not asked about the text around it
 */
export function fillTemplate(
  { strings, names }: ParsedTemplate,
  values: TemplateValues,
  escape: (value: string) => string,
): string {
  const filled = names.map((name, index) => {
    const text = name === BRACE ? '{' : escape(values[name].toWellFormed());
    return text + (strings[index + 1] ?? '');
  });
  return (strings[0] ?? '') + filled.join('');
}

/** Values as a run could have them, for trying a request out. */
export const SAMPLE_VALUES: TemplateValues = {
  'execution.id': 'exec_01h455vb4pex5vsknk084sn02q',
  'execution.scheduledAt': '2030-01-07T09:00:00.000Z',
  'job.id': 'job_01h455vb4pex5vsknk084sn02q',
  'job.name': 'Sample job',
  'attempt.number': '1',
  'trigger.executionId': 'exec_01h455vb4pex5vsknk084sn02r',
  'trigger.jobId': 'job_01h455vb4pex5vsknk084sn02r',
  'trigger.status': 'SUCCESS',
  'trigger.responseStatus': '200',
  'trigger.body': '{"sample":true}',
};
