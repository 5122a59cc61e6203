import type { FieldIssue } from '../job/job-definition.ts';
import { hasTemplate, parseTemplate } from './template.ts';
import { shorten } from '../values/text.ts';
import { authorityOf, BEHIND_THE_HOST, bodyHasTemplate, MAX_TEMPLATES } from './template-request.ts';

/** At most this much of a field's name is repeated. */
const SHOWN_CHARACTERS = 64;

/** One text of a request, and where it stands. */
interface Place {
  path: string[];
  text: string;
}

/** Issues of one input that are shown; a long body could hold any number. */
const MAX_ISSUES = 10;

/**
 * Checks the templates of a job's request: each must name something that is known, and none may decide where the call
 * goes.
 *
 * @param request what of it has passed its other checks
 * @returns what is wrong, by its place; empty where nothing is
 */
export function checkTemplates(request: {
  api?: string;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
}): FieldIssue[] {
  const body = bodyHasTemplate(request.body) ? request.body : null;
  const places: Place[] = [
    ...(request.api === undefined ? [] : [{ path: ['api'], text: request.api }]),
    ...Object.entries(request.headers ?? {}).map(([name, text]) => ({ path: ['headers', name], text })),
    ...placesOf(body, ['body']),
  ].filter(({ text }) => hasTemplate(text));

  let templates = 0;
  const issues = fieldNameIssues(body, ['body']);
  for (const { path, text } of places) {
    const template = parseTemplate(text);
    if (typeof template === 'string') issues.push({ path, message: template });
    else templates += template.names.length;
  }
  if (hasTemplate(authorityOf(request.api ?? ''))) issues.push({ path: ['api'], message: BEHIND_THE_HOST });
  if (templates > MAX_TEMPLATES) {
    const message = `The request holds ${templates} templates; allowed are ${MAX_TEMPLATES}.`;
    issues.push({ path: places.at(-1)?.path ?? [], message });
  }
  return issues.slice(0, MAX_ISSUES);
}

function placesOf(value: unknown, path: string[]): Place[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    placesOf(item, [...path, shorten(name, SHOWN_CHARACTERS)]),
  );
}

/** Values are filled, the names of fields are not; said rather than sent as it stands. */
function fieldNameIssues(value: unknown, path: string[]): FieldIssue[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => {
    const place = [...path, shorten(name, SHOWN_CHARACTERS)];
    const own = hasTemplate(name)
      ? [{ path: place, message: 'Templates may stand in values, not in the names of fields.' }]
      : [];
    return [...own, ...fieldNameIssues(item, place)];
  });
}
