// Structures: what stands in a settlement, with variables as a settlement has them.

import { and, asc, eq, gt } from 'drizzle-orm';
import { defaultPageSize, readCursor, toPage } from '../../protocol/paging.ts';
import { command, query } from '../../realtime/index.ts';
import {
  findOwnSettlements,
  findOwnStructures,
  lockSettlement,
  lockStructure,
  noSuchSettlement,
  noSuchStructure,
  requireVersion,
} from './access.ts';
import { change, created, invalidate, listChanged, listStaleVariables, updated } from './changes.ts';
import {
  CreateStructure,
  Deleted,
  ListInSettlement,
  Structure,
  StructurePage,
  StructurePath,
  structureTopic,
  UpdateStructure,
} from './contract.ts';
import { deleteStructure as deleteAndAnnounce } from './deleting.ts';
import { changesPerMinute } from './limits.ts';
import { IdPosition } from './pages.ts';
import { requireRoomForOne, requireRoomForTexts } from './room.ts';
import { structureFaceColumns } from './rows.ts';
import { checkVaried, requireFit } from './rules.ts';
import { structures } from './schema.ts';
import { campaign, readStructure, settlement, structure } from './topics.ts';

const tag = 'Structures';

export const createStructure = command('structure.create', {
  summary: 'Add a structure to a settlement, as an editor',
  description: 'Each variable needs a schema of its name, and fits it. A schema may wait for its variable.',
  tag,
  http: 'POST /settlements/:settlementId/structures',
  takesKey: true,
  input: CreateStructure,
  output: Structure,
  refuses: ['forbidden', 'not_found', 'conflict'],
  check: checkVaried,
  async run({ actor, tx, emit }, { settlementId, name, type, level = 0, ...given }) {
    const { variables = {}, variableSchemas = [] } = given;
    const { campaign: within } = await lockSettlement(tx, settlementId, actor.userId, 'editor');
    requireFit({ variables, variableSchemas });
    await requireRoomForOne(tx, within.id, 'structures', { name, type });
    const id = Bun.randomUUIDv7();
    const made = { id, settlementId, name, type, level, version: 1, variables, variableSchemas };
    await tx.insert(structures).values(made);
    emit(campaign.on(within.id), 'entity.updated', { entityType: 'structure', ...created(made) });
    return made;
  },
});

export const listStructures = query('structure.list', {
  summary: 'The structures of a settlement, the oldest first',
  description: 'Without variables: those are with each structure.',
  tag,
  http: 'GET /settlements/:settlementId/structures',
  input: ListInSettlement,
  output: StructurePage,
  refuses: ['not_found'],
  async run({ actor, db }, { settlementId, limit = defaultPageSize, cursor }) {
    const after = readCursor(IdPosition, cursor);
    const rows = await db
      .select(structureFaceColumns)
      .from(structures)
      .where(and(eq(structures.settlementId, settlementId), after && gt(structures.id, after[0])))
      .orderBy(asc(structures.id))
      .limit(limit + 1);
    const own = await findOwnSettlements(db, actor.userId, [settlementId]);
    if (!own.has(settlementId)) throw noSuchSettlement();
    return toPage(
      rows,
      limit,
      ({ id }) => [id],
      (row) => row,
    );
  },
});

export const getStructure = query('structure.get', {
  summary: 'A structure',
  tag,
  http: 'GET /structures/:structureId',
  input: StructurePath,
  output: Structure,
  refuses: ['not_found'],
  async run({ actor, db }, { structureId }) {
    const found = await readStructure(db, structureId);
    const own = await findOwnStructures(db, actor.userId, [structureId]);
    if (!own.has(structureId)) throw noSuchStructure();
    return found;
  },
});

export const updateStructure = command('structure.update', {
  summary: 'Change a structure, as an editor',
  description:
    'What is left out stays. `variables` and `variableSchemas` take the place of all that are there; together they must fit, ' +
    'be it that only one of them is given.',
  tag,
  http: 'PATCH /structures/:structureId',
  limit: changesPerMinute,
  input: UpdateStructure,
  output: Structure,
  refuses: ['forbidden', 'not_found', 'conflict'],
  check: checkVaried,
  async run({ actor, tx, emit }, { structureId, version, ...given }) {
    const locked = await lockStructure(tx, structureId, actor.userId, 'editor');
    const { entity, campaign: within, departedIds } = locked;
    requireVersion(entity, version);
    const fields = listChanged(entity, given);
    if (fields.length === 0) return entity;
    const changed = change(entity, given, fields);
    requireFit(changed);
    await requireRoomForTexts(tx, within.id, entity, changed);
    const { id: _, settlementId, ...columns } = changed;
    await tx.update(structures).set(columns).where(eq(structures.id, structureId));
    emit(
      [campaign.on(within.id), settlement.on(settlementId), structure.on(structureId)],
      'structure.updated',
      { entityType: 'structure', ...updated(changed, fields) },
      { withheldFrom: departedIds },
    );
    const stale = listStaleVariables(structureTopic(structureId), entity.variables, changed.variables);
    invalidate(emit, within.id, 'structure', stale, 'structure.updated');
    return changed;
  },
});

export const deleteStructure = command('structure.delete', {
  summary: 'Delete a structure, as an editor',
  tag,
  http: 'DELETE /structures/:structureId',
  limit: changesPerMinute,
  input: StructurePath,
  output: Deleted,
  refuses: ['forbidden', 'not_found'],
  async run({ actor, tx, emit }, { structureId }) {
    const locked = await lockStructure(tx, structureId, actor.userId, 'editor');
    await deleteAndAnnounce(tx, emit, locked, structureId);
    return { id: structureId };
  },
});
