// Who does not show to whom whether they are there. Modules say it (a block, in chat); presence and profiles ask.

import type { Db } from '../../db/database.ts';

/** What a module says about it. */
export interface Hiding {
  /** Those of the users who hide from the viewer. */
  findHidden(db: Db, viewerId: string, userIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** By user: from whom. Who hides from nobody is left out. */
  findUnseeing(db: Db, userIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
}

/** What all modules say together: whoever hides by one of them hides. Listed when asked: modules come after the core. */
export function combineHiding(listAll: () => readonly Hiding[]): Hiding {
  return {
    async findHidden(db, viewerId, userIds) {
      const found = await Promise.all(listAll().map((hiding) => hiding.findHidden(db, viewerId, userIds)));
      return new Set(found.flatMap((hidden) => [...hidden]));
    },
    async findUnseeing(db, userIds) {
      const found = await Promise.all(listAll().map((hiding) => hiding.findUnseeing(db, userIds)));
      const pairs = found.flatMap((unseeing) => [...unseeing]);
      return new Map(
        [...Map.groupBy(pairs, ([userId]) => userId)].map(([userId, lists]) => [
          userId,
          [...new Set(lists.flatMap(([, viewerIds]) => viewerIds))],
        ]),
      );
    },
  };
}
