/**
 * What GraphiQL opens with, one tab each: a job, its live feed, a look at what there is. They work as they stand,
 * without network too: the job calls the server's own health endpoint.
 *
 * @param serverUrl under which the server reaches itself, without a path
 */
export function graphiqlExamples(serverUrl: string): string[] {
  return [createJob(`${serverUrl}/health/live`), WATCH, JOBS];
}

const createJob = (api: string): string => `# Creates a job. Run it with Ctrl-Enter,
# then watch it in the next tab.
mutation CreateJob {
  createJob(
    input: {
      name: "My first job"
      schedule: "*/10 * * * * *" # seconds first
      timezone: "UTC"
      api: "${api}"
    }
  ) {
    job {
      id
      scheduleDescription
      nextRunAt
    }
    errors {
      code
      message
      path
    }
  }
}
`;

const WATCH = `# Every move of every execution, live.
# After a break, go on with the last cursor:
#   executionEvents(after: "…")
subscription Watch {
  executionEvents {
    ... on ExecutionEvent {
      at
      kind
      attempt
      execution {
        job {
          name
        }
        responseStatus
        durationMs
      }
      cursor
    }
    ... on FeedGap {
      reason
      toCursor
    }
  }
}
`;

const JOBS = `query Jobs {
  jobs(first: 20) {
    totalCount
    nodes {
      id
      name
      status
      scheduleDescription
      nextRunAt
      lastExecution {
        status
        startedAt
        durationMs
      }
    }
  }
}
`;
