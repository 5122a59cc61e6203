import { builder } from '../../builder.ts';
import { TAG_LIMITS, TAG_NAME_RULE } from '../../../domain/job/tag.ts';
import { WHERE_LIMITS, type WhereInput } from '../../filters/read-where.ts';
import { ExecutionStatus, ExecutionTrigger, FailureReason } from '../executions/execution-enums.ts';
import { JobStatus } from '../jobs/job-enums.ts';

export const StringFilter = builder.inputType('StringFilter', {
  description: `Conditions on a text, all of which must hold. Upper and lower case differ. A text may have ${WHERE_LIMITS.text} characters.`,
  fields: (t) => ({
    eq: t.string({ description: 'Is exactly this.' }),
    in: t.stringList({ description: `Is one of these, ${WHERE_LIMITS.list} at most.` }),
    contains: t.string({ description: 'Has this in it.' }),
    startsWith: t.string({ description: 'Begins with this.' }),
  }),
});

export const DateTimeFilter = builder.inputType('DateTimeFilter', {
  description: 'Conditions on an instant, all of which must hold. An instant that is null fulfils none.',
  fields: (t) => ({
    gte: t.field({ type: 'DateTime', description: 'At or after.' }),
    lte: t.field({ type: 'DateTime', description: 'At or before.' }),
    gt: t.field({ type: 'DateTime', description: 'After.' }),
    lt: t.field({ type: 'DateTime', description: 'Before.' }),
  }),
});

const IntFilter = builder.inputType('IntFilter', {
  description: 'Conditions on a whole number, all of which must hold. A number that is null fulfils none.',
  fields: (t) => ({
    eq: t.int({ description: 'Is exactly this.' }),
    gte: t.int({ description: 'Is this or more.' }),
    lte: t.int({ description: 'Is this or less.' }),
  }),
});

export const TagFilter = builder.inputType('TagFilter', {
  description: `Conditions on a job’s tags, all of which must hold. Each list may name ${TAG_LIMITS.perJob} tags. ${TAG_NAME_RULE}; what cannot be a name is one that no job has.`,
  fields: (t) => ({
    hasAny: t.stringList({ description: 'Has at least one of these; an empty list never holds.' }),
    hasAll: t.stringList({ description: 'Has each of these.' }),
    hasNone: t.stringList({ description: 'Has none of these.' }),
  }),
});

const LISTED = `any of these, ${WHERE_LIMITS.list} at most`;
const SIZE = `At most ${WHERE_LIMITS.depth} levels, ${WHERE_LIMITS.size} conditions and ${WHERE_LIMITS.lists} values in all its lists together.`;
const AND = 'All of these hold.';
const OR = 'At least one of these holds; an empty list never does.';
const NOT = 'This does not hold. A condition on a field that is null does not hold.';

const JobWhereRef = builder.inputRef<WhereInput>('JobWhere');
export const JobWhere = JobWhereRef.implement({
  description: `Selects jobs; all fields given must hold. Deleted jobs are left out of lists unless a condition on \`status\` is among them. For a feed it is asked of the job as it was at each event. ${SIZE}`,
  fields: (t) => ({
    AND: t.field({ type: [JobWhereRef], description: AND }),
    OR: t.field({ type: [JobWhereRef], description: OR }),
    NOT: t.field({ type: JobWhereRef, description: NOT }),
    id: t.idList({ description: `Its id is ${LISTED}; an id of something else matches nothing.` }),
    key: t.field({ type: StringFilter, description: 'Its key.' }),
    name: t.field({ type: StringFilter, description: 'Its name.' }),
    status: t.field({ type: [JobStatus], description: `Its status is ${LISTED}.` }),
    api: t.field({ type: StringFilter, description: 'The URL that it calls.' }),
    tags: t.field({ type: TagFilter, description: 'Its tags.' }),
    nextRunAt: t.field({ type: DateTimeFilter, description: 'When it runs next.' }),
    createdAt: t.field({ type: DateTimeFilter, description: 'When it was created.' }),
  }),
});

const ExecutionWhereRef = builder.inputRef<WhereInput>('ExecutionWhere');
export const ExecutionWhere = ExecutionWhereRef.implement({
  description: `Selects executions; all fields given must hold. For a feed it is asked of the execution as it was at each event. ${SIZE}`,
  fields: (t) => ({
    AND: t.field({ type: [ExecutionWhereRef], description: AND }),
    OR: t.field({ type: [ExecutionWhereRef], description: OR }),
    NOT: t.field({ type: ExecutionWhereRef, description: NOT }),
    id: t.idList({ description: `Its id is ${LISTED}; an id of something else matches nothing.` }),
    jobId: t.idList({ description: `Its job is ${LISTED}; an id of something else matches nothing.` }),
    status: t.field({ type: [ExecutionStatus], description: `Its status is ${LISTED}.` }),
    trigger: t.field({ type: [ExecutionTrigger], description: `How it came about is ${LISTED}.` }),
    failureReason: t.field({ type: [FailureReason], description: `Why it failed is ${LISTED}.` }),
    tags: t.field({
      type: TagFilter,
      description: 'Its job’s tags: as they are now in a list, as they were at each event in a feed.',
    }),
    scheduledAt: t.field({ type: DateTimeFilter, description: 'The slot that it serves.' }),
    startedAt: t.field({ type: DateTimeFilter, description: 'When its first attempt began.' }),
    finishedAt: t.field({ type: DateTimeFilter, description: 'When it became final.' }),
    createdAt: t.field({ type: DateTimeFilter, description: 'When it was planned or triggered.' }),
    durationMs: t.field({ type: IntFilter, description: 'finishedAt minus startedAt, in milliseconds.' }),
    latenessMs: t.field({ type: IntFilter, description: 'startedAt minus scheduledAt, in milliseconds.' }),
    responseStatus: t.field({ type: IntFilter, description: 'HTTP status of the last answer.' }),
    errorMessage: t.field({ type: StringFilter, description: 'What went wrong last, in words.' }),
    instanceId: t.stringList({ description: `The instance that made the last attempt is ${LISTED}.` }),
  }),
});
