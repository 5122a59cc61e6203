import { readTagName, sortedTags, TAG_LIMITS } from './tag.ts';

/** A filter by tags as a client writes it. All given conditions must hold. Null means absent. */
export type TagFilter = Partial<Record<TagOperator, readonly string[] | null | undefined>>;

const OPERATORS = ['hasAny', 'hasAll', 'hasNone'] as const;
export type TagOperator = (typeof OPERATORS)[number];

/** A condition on a job's tags, with names as they are stored. */
export interface TagQuestion {
  /** The job has at least one of these. Null: no condition. An empty list: no job matches. */
  hasAny: readonly string[] | null;
  hasAll: readonly string[];
  hasNone: readonly string[];
}

/**
 * Reads a filter. A text that cannot be a tag's name matches no tag.
 *
 * @returns the condition, or the name of a list that is too long
 */
export function readTagFilter(
  filter: TagFilter,
): { ok: true; question: TagQuestion } | { ok: false; operator: TagOperator; message: string } {
  const { hasAny = null, hasAll, hasNone } = filter;
  for (const operator of OPERATORS) {
    const length = filter[operator]?.length ?? 0;
    if (length > TAG_LIMITS.perJob) {
      const message = `Lists ${length} tags; allowed are ${TAG_LIMITS.perJob}.`;
      return { ok: false, operator, message };
    }
  }
  const all = (hasAll ?? []).map(nameOf);
  const isImpossible = all.includes(null);
  return {
    ok: true,
    question: {
      hasAny: isImpossible ? [] : hasAny && namesOf(hasAny),
      hasAll: namesOf(hasAll ?? []),
      hasNone: namesOf(hasNone ?? []),
    },
  };
}

function namesOf(texts: readonly string[]): string[] {
  return sortedTags(texts.map(nameOf).filter((name) => name !== null));
}

function nameOf(text: string): string | null {
  const read = readTagName(text);
  return read.ok ? read.name : null;
}
