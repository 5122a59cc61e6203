/** Stands in the examples where the server's own address does in what is shown. */
const SERVER_URL = 'SERVER_URL';

const EXAMPLES = `# Press ▶ and choose an operation, or put the
# cursor into one and press Ctrl-Enter.

# 1. A job that calls this server's health check.
mutation CreateJob {
  createJob(
    input: {
      name: "My first job"
      schedule: "*/10 * * * * *" # seconds first
      timezone: "UTC"
      api: "${SERVER_URL}/health/live"
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

# 2. Each move of each execution, live. ■ ends it.
#    After a break, go on with the last cursor:
#    executionEvents(after: "…")
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

# 3. What there is, and how it fared last.
query Jobs {
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

# 4. A job whose target is not there: what fails
#    for good waits in the dead letter queue.
mutation CreateFailingJob {
  createJob(
    input: {
      name: "My failing job"
      schedule: "*/10 * * * * *"
      api: "${SERVER_URL}/nowhere"
    }
  ) {
    job {
      id
    }
    errors {
      message
    }
  }
}

query DeadLetters {
  deadLetters(first: 20, where: { open: true }) {
    totalCount
    nodes {
      id
      failedAt
      errorMessage
      job {
        name
      }
    }
  }
}

# 5. Runs all of them again.
mutation RedriveDeadLetters {
  redriveDeadLetters(input: { where: { open: true } }) {
    redrivenCount
    executions {
      id
      status
      trigger
    }
    errors {
      message
    }
  }
}

# 6. Takes both jobs away again; what they did stays.
mutation DeleteExamples {
  deleteJobs(
    input: {
      where: { name: { in: ["My first job", "My failing job"] } }
    }
  ) {
    changedCount
    errors {
      message
    }
  }
}
`;

/**
 * What GraphiQL opens with: operations that work as they stand, one after the other and without network too, as jobs call
 * the server's own addresses. One document, since GraphiQL then asks which of them to run; with a tab for each it runs
 * one tab's text under another one's name for a while.
 *
 * @param serverUrl under which the server reaches itself, without a path
 */
export function graphiqlExamples(serverUrl: string): string {
  return EXAMPLES.replaceAll(SERVER_URL, () => serverUrl);
}
