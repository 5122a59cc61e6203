/** What a dashboard asks for, each with the statements that it may cost, however many rows there are. */
export const DASHBOARD_QUERIES: readonly [what: string, atMost: number, query: string][] = [
  ['a page of jobs', 1, '{ jobs(first: 100) { nodes { id name status schedule nextRunAt } } }'],
  ['the count of jobs beside a page of them', 2, '{ jobs(first: 100) { totalCount nodes { id } } }'],
  ['jobs with their tags', 2, '{ jobs(first: 100) { nodes { id tags { id name color } } } }'],
  [
    'jobs with their last execution',
    3,
    '{ jobs(first: 100) { nodes { id lastExecution { id status durationMs errorMessage } } } }',
  ],
  [
    'jobs with their metrics',
    3,
    '{ jobs(first: 100) { nodes { id metrics(window: LAST_24H) { successRate executionTimeMs { p95 } series { success failed } } } } }',
  ],
  [
    'jobs with what they wait for and what waits for them',
    5,
    '{ jobs(first: 100) { nodes { id dependencies { condition dependsOn { id name } } dependents { job { id name } } } } }',
  ],
  [
    'jobs with all of that',
    12,
    `{ jobs(first: 100) { totalCount nodes { id name tags { name } lastExecution { id status } metrics { successRate }
       dependencies { dependsOn { name } } dependents { job { name } } alerts { channel events } upcomingRuns } } }`,
  ],
  [
    'jobs with their latest executions',
    3,
    '{ jobs(first: 50) { nodes { id executions(first: 5) { nodes { id status } } } } }',
  ],
  [
    'jobs with their last failures',
    3,
    '{ jobs(first: 100) { nodes { id executions(first: 3, where: { status: [FAILED] }) { nodes { id errorMessage } } } } }',
  ],
  [
    'jobs with their oldest and newest executions in words of their own',
    5,
    `{ jobs(first: 100) { nodes { id oldest: executions(last: 3) { nodes { id } }
       newest: executions(first: 3, orderBy: [{ field: CREATED_AT, direction: DESC }]) { nodes { id } } } } }`,
  ],
  [
    'jobs with where their history and their alerts begin',
    6,
    '{ jobs(first: 100) { nodes { id auditLog(last: 2) { nodes { action } } alerts { id deliveries(last: 2) { nodes { status } } } } } }',
  ],
  ['tags with their oldest jobs', 3, '{ tags(first: 100) { nodes { id jobs(last: 5) { nodes { id } } } } }'],
  ['jobs with their alerts', 2, '{ jobs(first: 100) { nodes { id alerts { id channel target events } } } }'],
  [
    'jobs with their history',
    3,
    '{ jobs(first: 50) { nodes { id auditLog(first: 3) { nodes { action actor } } } } }',
  ],
  [
    'active jobs by name',
    1,
    '{ jobs(first: 100, where: { status: [ACTIVE], name: { contains: "ob" } }, orderBy: [{ field: NAME, direction: ASC }]) { nodes { id } } }',
  ],
  ['executions with their job', 2, '{ executions(first: 100) { nodes { id status job { id name } } } }'],
  [
    'executions with their attempts',
    2,
    '{ executions(first: 100) { nodes { id attempts { number responseStatus durationMs } } } }',
  ],
  [
    'executions with job, attempts, cause and dead letter',
    12,
    `{ executions(first: 100) { totalCount nodes { id job { name tags { name } } attempts { number } triggeredBy { id }
       triggered { id } redriveOf { id } deadLetter { id redriveExecution { id } } } } }`,
  ],
  [
    'executions with their log',
    2,
    '{ executions(first: 50) { nodes { id logs(first: 5) { nodes { message } } } } }',
  ],
  [
    'failed executions of the last day',
    1,
    '{ executions(first: 100, where: { status: [FAILED], createdAt: { gte: "2025-02-28T12:00:00.000Z" } }) { nodes { id } } }',
  ],
  [
    'dead letters with job and execution',
    4,
    '{ deadLetters(first: 100, where: { open: true }) { totalCount nodes { id job { name } execution { id responseStatus } } } }',
  ],
  ['tags with their jobs', 3, '{ tags(first: 100) { nodes { id name jobs(first: 5) { nodes { id } } } } }'],
  [
    'the audit log with its jobs',
    2,
    '{ auditLog(first: 100) { nodes { action actor before after job { name } } } }',
  ],
  [
    'the figures of the whole system',
    8,
    `{ systemMetrics { totalJobs activeJobs totalExecutions successRate executionsLast24h
       currentLoad { pendingExecutions runningExecutions } latenessMs { p99 } deadLetters }
       schedulerStatus { dueJobs nextRunAt instances { instanceId alive } } }`,
  ],
];
