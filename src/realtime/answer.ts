// What an operation answers, as a schema: its output and, where it writes, where its events stand. [O3]

import { type TSchema, Type } from '@sinclair/typebox';
import { EventPosition } from '../protocol/envelope.ts';
import type { Operation } from './operation.ts';

/** Shown as it is: it is a part of other shapes. */
const Written = Type.Object({
  events: Type.Array(EventPosition, {
    description: 'Where the events stand that this wrote: wait for them to see it through a subscription',
  }),
});

/** The same over HTTP and the socket; undefined where nothing but success is answered. */
export function answerSchemaOf({ output, writes }: Operation): TSchema | undefined {
  const written = writes === 'sometimes' ? Type.Partial(Written) : Written;
  if (output === undefined) return writes ? written : undefined;
  return writes ? Type.Intersect([output, written]) : output;
}
