// What somebody is writing about an entity while others may change it, too. It is about one version; what comes meanwhile is
// taken where nothing else was written, and otherwise the writer decides. Pure.

export interface Versioned {
  readonly version: number;
}

export interface Draft<Entity extends Versioned> {
  /** The version that the draft is about. */
  readonly base: Entity;
  readonly mine: Entity;
  /** Somebody changed it meanwhile, and the writer has not said yet what counts. */
  readonly theirs: Entity | undefined;
}

export const beginDraft = <Entity extends Versioned>(entity: Entity): Draft<Entity> => ({
  base: entity,
  mine: entity,
  theirs: undefined,
});

export const isChanged = <Entity extends Versioned>(draft: Draft<Entity>): boolean =>
  listChanged(draft.base, draft.mine).length > 0;

/** The entity as it is now. Where it has all that was written, as behind one's own save, there is nothing to decide. */
export function follow<Entity extends Versioned>(draft: Draft<Entity>, entity: Entity): Draft<Entity> {
  const { base, mine, theirs } = draft;
  if (entity.version <= Math.max(base.version, theirs?.version ?? 0)) return draft;
  const hasMine = listChanged(base, mine).every((field) => isSame(entity[field], mine[field]));
  return hasMine ? beginDraft(entity) : { ...draft, theirs: entity };
}

export const write = <Entity extends Versioned>(
  draft: Draft<Entity>,
  change: Partial<Entity>,
): Draft<Entity> => ({
  ...draft,
  mine: { ...draft.mine, ...change },
});

/** What was written counts, over what came meanwhile. */
export function keepMine<Entity extends Versioned>({
  base,
  mine,
  theirs = base,
}: Draft<Entity>): Draft<Entity> {
  return { base: theirs, mine: { ...theirs, ...pickChanged(base, mine) }, theirs: undefined };
}

export const takeTheirs = <Entity extends Versioned>({ base, theirs }: Draft<Entity>): Draft<Entity> =>
  beginDraft(theirs ?? base);

export function listChanged<Entity extends Versioned>(before: Entity, after: Entity): (keyof Entity)[] {
  const fields = Object.keys(after) as (keyof Entity)[]; // an entity has its own fields only
  return fields.filter((field) => !isSame(before[field], after[field]));
}

export function pickChanged<Entity extends Versioned>(before: Entity, after: Entity): Partial<Entity> {
  const entries = listChanged(before, after).map((field) => [field, after[field]]);
  return Object.fromEntries(entries);
}

/** As JSON, but for the order of fields, which the database does not keep. */
function isSame(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key]));
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
