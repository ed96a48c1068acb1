// What a statement really did, from EXPLAIN ANALYZE: which indexes it went by, and how many rows of a table it read.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../src/db/database.ts';

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

export interface Explained {
  readonly indexes: ReadonlySet<string>;
  /** The ways in which it read the table. */
  readonly scans: readonly string[];
  readonly rows: number;
}

export async function explain(db: Db, statement: SQL, table: string): Promise<Explained> {
  const [explained] = await queryRows<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    db,
    sql`EXPLAIN (ANALYZE, FORMAT JSON) ${statement}`,
  );
  const nodes: PlanNode[] = [];
  const collect = (node: PlanNode): void => {
    nodes.push(node);
    for (const inner of node.Plans ?? []) collect(inner);
  };
  if (explained !== undefined) collect(explained['QUERY PLAN'][0].Plan);
  const readers = nodes.filter((node) => node['Relation Name'] === table);
  return {
    indexes: new Set(nodes.flatMap((node) => node['Index Name'] ?? [])),
    scans: readers.map((node) => node['Node Type']),
    rows: readers.reduce(
      (sum, node) =>
        sum + (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'],
      0,
    ),
  };
}
