import type { Pool } from 'pg';

/** A node of a plan that was carried out. */
export type PlanNode = {
  'Node Type': string;
  'Relation Name'?: string;
  'Plan Rows': number;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
};

/** Carries a statement out, and answers how. */
export async function explain(
  pool: Pool,
  text: string,
  values: readonly unknown[],
): Promise<PlanNode | undefined> {
  const { rows } = await pool.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>({
    text: `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${text}`,
    values: [...values],
  });
  return rows[0]?.['QUERY PLAN'][0].Plan;
}

/** All nodes of a plan. */
export function nodesOf(plan: PlanNode | undefined): PlanNode[] {
  return plan ? [plan, ...(plan.Plans ?? []).flatMap(nodesOf)] : [];
}
