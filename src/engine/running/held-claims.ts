import { StopSignal } from '../../http/stop-signal.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import type { HeldClaim } from '../../store/executions/leases.ts';
import type { EndReason } from './run-execution.ts';

/** The fields of an execution that are needed from its claim to its record. */
export type Claim = Pick<ClaimedExecution, 'id' | 'jobId' | 'claimSeq' | 'attemptCount' | 'host' | 'trigger'>;

export interface Held {
  claim: Claim;
  signal: StopSignal<EndReason>;
  /**
   * The end of the lease by the monotonic clock. No call continues after it, whether or not the database is
   * reachable.
   */
  deadlineMs: number;
  isCallOver: boolean;
  /** Null while it waits for a place. */
  done: Promise<void> | null;
}

/** How many unrecorded calls stay in memory. They are rare, and fewer can fail together. */
const MAX_UNRECORDED = 10_000;

/** The executions that this instance holds, from the claim to the record of the outcome, by id. */
export class HeldClaims {
  readonly #held = new Map<string, Held>();
  /** The latest calls without a recorded outcome: the execution's id and the number of the claim. */
  readonly #unrecorded = new Map<string, number>();
  #backlog = 0;

  /** How many of them are for missed slots. */
  get backlog(): number {
    return this.#backlog;
  }

  add(entry: Held): void {
    this.#held.set(entry.claim.id, entry);
    if (isBacklog(entry.claim)) this.#backlog += 1;
  }

  get(executionId: string): Held | undefined {
    return this.#held.get(executionId);
  }

  /** The entry of exactly this claim. */
  entryOf({ executionId, claimSeq }: HeldClaim): Held | undefined {
    const entry = this.#held.get(executionId);
    return entry?.claim.claimSeq === claimSeq ? entry : undefined;
  }

  remove(entry: Held): void {
    const { claim } = entry;
    // Only this entry: after a lost lease this instance may have claimed the same execution again.
    if (this.#held.get(claim.id) === entry) this.#held.delete(claim.id);
    if (isBacklog(claim)) this.#backlog -= 1;
  }

  all(): Held[] {
    return [...this.#held.values()];
  }

  /** Remembers a call under this claim whose outcome could not be recorded. */
  noteUnrecorded({ id, claimSeq }: Claim): void {
    this.#unrecorded.set(id, claimSeq);
    const [oldest] = this.#unrecorded.keys();
    if (this.#unrecorded.size > MAX_UNRECORDED && oldest !== undefined) this.#unrecorded.delete(oldest);
  }

  /** Whether this instance holds an execution, or has called it under this claim without a recorded outcome. */
  holds({ executionId, claimSeq }: HeldClaim): boolean {
    return this.#held.has(executionId) || this.#unrecorded.get(executionId) === claimSeq;
  }

  async drained(): Promise<void> {
    // An execution that waits for a place gets one when a call ends.
    while (this.#held.size > 0) await Promise.all(this.all().flatMap(({ done }) => done ?? []));
  }
}

/** The entry of a newly claimed execution. */
export function heldOf(execution: ClaimedExecution, deadlineMs: number): Held {
  const { id, jobId, claimSeq, attemptCount, host, trigger } = execution;
  const claim = { id, jobId, claimSeq, attemptCount, host, trigger };
  return { claim, signal: new StopSignal(), deadlineMs, isCallOver: false, done: null };
}

export function isBacklog({ trigger }: Claim): boolean {
  return trigger === 'CATCH_UP';
}
