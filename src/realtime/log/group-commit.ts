// The plain case of a batch: many small writes, each with one event on one topic that is known before. What decides about them
// is read together with the lock of the topics, so a batch is two journeys to the database.

import type { Db, Statement } from '../../db/database.ts';
import type { AppError } from '../../protocol/errors.ts';
import { type BatchItem, createBatchCommit } from './batch-commit.ts';
import type { Add } from './batcher.ts';
import type { Committed } from './commit.ts';
import type { NewEvent } from './event-log.ts';

/** One write; its event is on `topic`. */
export interface GroupItem<Input> extends BatchItem {
  readonly topic: string;
  readonly input: Input;
}

/** What a module brings. The functions that take several items are called once a batch. */
export interface GroupWork<Input, Value extends object> {
  /**
   * Why items are refused, each at its place. The topics are locked: what this reads in `tx` about a topic is true at the
   * place where the events will stand. It only reads, and may be asked twice. Without it, every item is good.
   */
  refuse?(tx: Db, items: readonly GroupItem<Input>[]): Promise<readonly (AppError | undefined)[]>;
  /** What the item is answered; `seq` is that of its event. */
  toValue(item: GroupItem<Input>, seq: number): Value;
  toEvent(item: GroupItem<Input>, value: Value): Pick<NewEvent, 'type' | 'payload'>;
  /** What writes the rows that go with the events. */
  write?(values: readonly Value[]): readonly Statement[];
  /** Called after COMMIT, with what was written now. What it throws is reported, and changes no answer. */
  onCommitted?(written: readonly { readonly item: GroupItem<Input>; readonly value: Value }[]): void;
}

export type CreateGroup = <Input, Value extends object>(
  work: GroupWork<Input, Value>,
) => Add<GroupItem<Input>, Committed<Value>>;

export function createGroupCommit(...deps: Parameters<typeof createBatchCommit>): CreateGroup {
  const createBatch = createBatchCommit(...deps);
  return <Input, Value extends object>({
    refuse,
    toValue,
    toEvent,
    write,
    onCommitted,
  }: GroupWork<Input, Value>) =>
    createBatch<GroupItem<Input>, AppError | undefined, Value, Value>({
      async find(tx, items, lock) {
        const locked = lock(items.map(({ topic }) => [{ name: topic }]));
        const [refusals] = await Promise.all([refuse?.(tx, items), locked]);
        return items.map((_, index) => refusals?.[index]);
      },
      decide(item, refusal, { emit }) {
        if (refusal !== undefined) return refusal;
        const on = { name: item.topic, events: undefined };
        const value = toValue(item, emit.seqOf(on));
        const { type, payload } = toEvent(item, value);
        emit(on, type, payload);
        return { value, row: value };
      },
      write,
      onCommitted,
    });
}
