// What changed between two versions of a document, as far as clients are concerned: each change with its place, the breaking
// ones first.

import { type Change, type Comparison, compareSchemas, type Level } from './schema-changes.ts';
import { type Document, type Promised, readSurface } from './surface.ts';

export type { Change };

export function compareDocuments(before: Document, after: Document): Change[] {
  const [old, other] = [readSurface(before), readSurface(after)];
  const seen = new Set<string>();
  const within = (direction: Comparison['direction']): Comparison => ({
    direction,
    before: old.schemas,
    after: other.schemas,
    seen,
  });
  const changes = [...old.promises].flatMap(([name, promised]) => {
    const now = other.promises.get(name);
    return now === undefined
      ? [{ level: 'breaking' as const, where: name, what: 'is gone' }]
      : comparePromises(name, promised, now, within);
  });
  return changes.sort((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level));
}

/** `breaking: POST /v1/chats, body /name: is required now.` */
export const sayChange = ({ level, where, what }: Change): string => `${level}: ${where}: ${what}.`;

const levels: readonly Level[] = ['breaking', 'warning', 'note'];

function comparePromises(
  name: string,
  before: Promised,
  after: Promised,
  within: (direction: Comparison['direction']) => Comparison,
): Change[] {
  const inputs = new Set([...Object.keys(before.inputs), ...Object.keys(after.inputs)]);
  return [
    ...compareFacts(name, before.facts, after.facts),
    ...[...inputs].flatMap((key) =>
      // A part that is not there takes no fields.
      compareSchemas(
        within('input'),
        before.inputs[key] ?? noFields,
        after.inputs[key] ?? noFields,
        `${name}, ${key}`,
      ),
    ),
    ...Object.entries(before.outputs).flatMap(([key, schema]): Change[] => {
      const [where, now] = [`${name}, ${key}`, after.outputs[key]];
      if (now === undefined) return [{ level: 'breaking', where, what: 'is gone' }];
      return compareSchemas(within('output'), schema, now, where);
    }),
    ...after.refuses
      .filter((code) => !before.refuses.includes(code))
      .map((code): Change => ({ level: 'note', where: name, what: `may refuse with ${code} now` })),
  ];
}

const noFields = { type: 'object', properties: {} };

/** What a client gains breaks nobody: a token that is needed no longer, presence, a snapshot. */
function compareFacts(name: string, before: Promised['facts'], after: Promised['facts']): Change[] {
  return Object.entries(before).flatMap(([fact, was]): Change[] => {
    const is = after[fact];
    if (was === is) return [];
    if (typeof was === 'string')
      return [{ level: 'breaking', where: name, what: `its ${fact} was ${was}, and is ${is} now` }];
    const isLoss = burdens.has(fact) ? is === true : is === false;
    if (!isLoss) return [];
    return [{ level: 'breaking', where: name, what: `${fact} ${is === true ? 'now' : 'no longer'}` }];
  });
}

/** Those that a client would rather do without. */
const burdens: ReadonlySet<string> = new Set(['needs a token', 'is answered behind later commands']);
