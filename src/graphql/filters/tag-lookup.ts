import type { Condition } from '../../domain/values/condition.ts';
import type { GraphqlContext } from '../context.ts';

/** Which jobs pass one test of tags: a list of jobs where they are few, else a list of tags. */
export type Tagged = { jobIds: readonly string[] } | { tagIds: readonly string[] };

/** What is known of the tags that a condition names, by the lists of names in its tests. */
export type TagLookup = ReadonlyMap<readonly string[], Tagged>;

/** Each becomes a parameter of the statement. */
const MAX_JOBS_NAMED = 5_000;

/**
 * Looks up the tags that a condition names, by one statement, before it is translated for PostgreSQL. Joined by its name,
 * a tag is to the planner as frequent as any other: for one that few jobs have it would look through the whole history.
 * Those few jobs are named instead, and it knows what they have.
 */
export async function lookUpTags(
  condition: Condition,
  { tagLoaders }: Pick<GraphqlContext, 'tagLoaders'>,
): Promise<TagLookup> {
  const lists = tagListsIn(condition);
  const names = [...new Set(lists.flat())];
  const bearers = new Map(
    await Promise.all(names.map(async (name) => [name, await tagLoaders.bearers.load({ name })] as const)),
  );
  let named = 0;
  return new Map(
    lists.map((list): [readonly string[], Tagged] => {
      const tags = list.flatMap((name) => bearers.get(name) ?? []);
      const jobIds = [...new Set(tags.flatMap((tag) => tag.jobIds ?? []))];
      const areFew = tags.every((tag) => tag.jobIds !== null) && named + jobIds.length <= MAX_JOBS_NAMED;
      if (!areFew) return [list, { tagIds: tags.map(({ tagId }) => tagId) }];
      named += jobIds.length;
      return [list, { jobIds }];
    }),
  );
}

function tagListsIn(condition: Condition): (readonly string[])[] {
  switch (condition.kind) {
    case 'test':
      return condition.test.op === 'hasAny' ? [condition.test.names] : [];
    case 'not':
      return tagListsIn(condition.of);
    default:
      return condition.of.flatMap(tagListsIn);
  }
}
