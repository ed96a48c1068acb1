// What somebody is writing about an entity while others may change it, too. It is about one version; what comes meanwhile is
// taken where nothing was written yet, and otherwise the writer decides. Pure.

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

/** Compared as JSON: an entity is what the server sent. */
export const isChanged = <Entity extends Versioned>({ base, mine }: Draft<Entity>): boolean =>
  JSON.stringify(base) !== JSON.stringify(mine);

/** The entity as it is now. */
export function follow<Entity extends Versioned>(draft: Draft<Entity>, entity: Entity): Draft<Entity> {
  if (entity.version <= Math.max(draft.base.version, draft.theirs?.version ?? 0)) return draft;
  return isChanged(draft) ? { ...draft, theirs: entity } : beginDraft(entity);
}

export const write = <Entity extends Versioned>(
  draft: Draft<Entity>,
  change: Partial<Entity>,
): Draft<Entity> => ({
  ...draft,
  mine: { ...draft.mine, ...change },
});

/** What was written counts, over what came meanwhile. */
export function keepMine<Entity extends Versioned>(draft: Draft<Entity>): Draft<Entity> {
  const { base, mine, theirs = base } = draft;
  const written = listChanged(draft).map((field) => [field, mine[field]]);
  return { base: theirs, mine: { ...theirs, ...Object.fromEntries(written) }, theirs: undefined };
}

export const takeTheirs = <Entity extends Versioned>({ base, theirs }: Draft<Entity>): Draft<Entity> =>
  beginDraft(theirs ?? base);

/** What the writer changed. */
export function listChanged<Entity extends Versioned>({ base, mine }: Draft<Entity>): (keyof Entity)[] {
  const fields = Object.keys(mine) as (keyof Entity)[]; // an entity has its own fields only
  return fields.filter((field) => JSON.stringify(base[field]) !== JSON.stringify(mine[field]));
}
