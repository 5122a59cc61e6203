import { post, type Variables } from './graphql-clients.ts';

/** What tests do over the API again and again; each throws where the API refuses. */
export type ApiClient = {
  createJob: (input: Record<string, unknown>) => Promise<{ id: string }>;
  /** Answers the execution's id. */
  trigger: (job: { id: string }) => Promise<string>;
  /** As many at once. */
  triggerMany: (job: { id: string }, count: number) => Promise<string[]>;
  /** Runs an operation that must succeed. */
  query: <Data>(operation: string, variables?: Variables) => Promise<Data>;
};

type Refusal = { code: string; message: string };

const CREATE_JOB = /* GraphQL */ `
  mutation ($input: CreateJobInput!) {
    createJob(input: $input) {
      job {
        id
      }
      errors {
        code
        message
      }
    }
  }
`;
const TRIGGER_JOB = /* GraphQL */ `
  mutation ($id: ID!) {
    triggerJob(input: { id: $id }) {
      execution {
        id
      }
      errors {
        code
        message
      }
    }
  }
`;

/** @param server whose API is called; its `url` is read anew each time */
export function apiClient(server: { url: string }): ApiClient {
  async function query<Data>(operation: string, variables?: Variables): Promise<Data> {
    const { body } = await post<Data>(server.url, operation, variables);
    if (body.errors || !body.data) throw new Error(`The API refused: ${JSON.stringify(body.errors)}`);
    return body.data;
  }

  async function trigger({ id }: { id: string }): Promise<string> {
    type Data = { triggerJob: { execution: { id: string } | null; errors: Refusal[] } };
    const { triggerJob } = await query<Data>(TRIGGER_JOB, { id });
    return given(triggerJob.execution, triggerJob.errors).id;
  }

  return {
    async createJob(input) {
      type Data = { createJob: { job: { id: string } | null; errors: Refusal[] } };
      const { createJob } = await query<Data>(CREATE_JOB, { input: { name: 'Job of a test', ...input } });
      return given(createJob.job, createJob.errors);
    },
    trigger,
    triggerMany: (job, count) => Promise.all(Array.from({ length: count }, () => trigger(job))),
    query,
  };
}

function given<T>(value: T | null, errors: readonly Refusal[]): T {
  if (value === null) throw new Error(`The API refused: ${JSON.stringify(errors)}`);
  return value;
}
