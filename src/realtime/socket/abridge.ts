// What is kept of a frame that will be refused in its turn: it waits with thousands of others.

import { cutNested, isTooDeep } from '../../protocol/json.ts';

/** Enough for refusing it: what is nonsense stays so, and the whole need not wait. */
export function abridge(frame: string | Buffer): string {
  if (typeof frame !== 'string') return '';
  const cut = (value: unknown) => (typeof value === 'string' ? value.slice(0, 65) : undefined);
  try {
    const { id, type }: { id?: unknown; type?: unknown } = JSON.parse(
      isTooDeep(frame) ? cutNested(frame) : frame,
    );
    return JSON.stringify({ id: cut(id), type: cut(type) });
  } catch {
    return '';
  }
}
