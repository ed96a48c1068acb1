// The delivery promise as numbers: what came, against the run of seqs that had to come. [O1]

export interface Tally {
  received: number;
  /** Never came. */
  lost: number;
  /** Came more than once, or was not asked for. */
  repeated: number;
  /** Came behind a later one. */
  reordered: number;
}

/** `seqs` as they came, where each from `after + 1` to `last` had to come once, in this order. */
export function tally(seqs: readonly number[], after: number, last: number): Tally {
  const seen = new Set<number>();
  const counts: Tally = { received: seqs.length, lost: 0, repeated: 0, reordered: 0 };
  let highest = after;
  for (const seq of seqs) {
    if (seen.has(seq) || seq <= after) counts.repeated += 1;
    else if (seq < highest) counts.reordered += 1;
    seen.add(seq);
    highest = Math.max(highest, seq);
  }
  for (let seq = after + 1; seq <= last; seq += 1) if (!seen.has(seq)) counts.lost += 1;
  return counts;
}
