const CREATE_JOB = `
  mutation CreateJob($input: CreateJobInput!) {
    createJob(input: $input) {
      job { id name scheduleDescription }
      errors { code message path }
    }
  }`;

const DELETE_JOB = `
  mutation DeleteJob($input: DeleteJobInput!) {
    deleteJob(input: $input) { errors { code message } }
  }`;

export interface DemoJob {
  id: string;
  name: string;
  scheduleDescription: string;
}

interface Payload {
  job: DemoJob | null;
  errors: { message: string }[];
}

/** Creates the sample jobs as any client would: over the public API. */
export async function createDemoJobs(graphqlUrl: string, targetUrl: string): Promise<DemoJob[]> {
  const jobs: DemoJob[] = [];
  for (const input of sampleJobs(targetUrl)) {
    const { createJob } = await request<{ createJob: Payload }>(graphqlUrl, CREATE_JOB, { input });
    if (!createJob.job) throw new Error(`Could not create "${input.name}": ${messages(createJob.errors)}`);
    jobs.push(createJob.job);
  }
  return jobs;
}

export async function deleteDemoJobs(graphqlUrl: string, jobs: readonly DemoJob[]): Promise<void> {
  for (const { id } of jobs) await request(graphqlUrl, DELETE_JOB, { input: { id } });
}

function sampleJobs(targetUrl: string) {
  const quickRetry = { backoffStrategy: 'FIXED', initialDelayMs: 500 };
  return [
    { name: 'steady', schedule: '*/2 * * * * *', api: `${targetUrl}/ok` },
    {
      name: 'flaky',
      schedule: '*/6 * * * * *',
      api: `${targetUrl}/flaky`,
      retryPolicy: { ...quickRetry, maxRetries: 3 },
    },
    {
      name: 'broken',
      schedule: '*/10 * * * * *',
      api: `${targetUrl}/down`,
      retryPolicy: { ...quickRetry, maxRetries: 1 },
    },
  ];
}

async function request<Data>(
  graphqlUrl: string,
  query: string,
  variables: Record<string, unknown>,
): Promise<Data> {
  const response = await fetch(graphqlUrl, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: { message: string }[] };
  if (errors || !data) throw new Error(`The API refused a request: ${messages(errors ?? [])}`);
  return data;
}

function messages(errors: readonly { message: string }[]): string {
  return errors.map(({ message }) => message).join('; ');
}
