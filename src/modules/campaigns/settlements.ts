// Settlements: they stand in a kingdom, and have variables that fit the schemas they have.

import { and, asc, eq, gt } from 'drizzle-orm';
import { defaultPageSize, readCursor, toPage } from '../../protocol/paging.ts';
import { command, query } from '../../realtime/index.ts';
import {
  findOwnKingdoms,
  findOwnSettlements,
  lockKingdom,
  lockSettlement,
  noSuchKingdom,
  noSuchSettlement,
  requireVersion,
} from './access.ts';
import { change, created, invalidate, listChanged, listStaleVariables, updated } from './changes.ts';
import {
  CreateSettlement,
  Deleted,
  ListInKingdom,
  Settlement,
  SettlementPage,
  SettlementPath,
  settlementTopic,
  UpdateSettlement,
} from './contract.ts';
import { deleteSettlement as deleteWithContents } from './deleting.ts';
import { changesPerMinute } from './limits.ts';
import { IdPosition } from './pages.ts';
import { requireRoomForOne, requireRoomForTexts } from './room.ts';
import { settlementFaceColumns } from './rows.ts';
import { checkVaried, requireFit } from './rules.ts';
import { settlements } from './schema.ts';
import { campaign, readSettlement, settlement } from './topics.ts';

const tag = 'Settlements';

export const createSettlement = command('settlement.create', {
  summary: 'Add a settlement to a kingdom, as an editor',
  description: 'Each variable needs a schema of its name, and fits it. A schema may wait for its variable.',
  tag,
  http: 'POST /kingdoms/:kingdomId/settlements',
  takesKey: true,
  input: CreateSettlement,
  output: Settlement,
  refuses: ['forbidden', 'not_found', 'conflict'],
  check: checkVaried,
  async run({ actor, tx, emit }, { kingdomId, name, level = 0, variables = {}, variableSchemas = [] }) {
    const { campaign: within } = await lockKingdom(tx, kingdomId, actor.userId, 'editor');
    requireFit({ variables, variableSchemas });
    await requireRoomForOne(tx, within.id, 'settlements', { name });
    const id = Bun.randomUUIDv7();
    const made = { id, kingdomId, name, level, version: 1, variables, variableSchemas };
    await tx.insert(settlements).values(made);
    emit(campaign.on(within.id), 'entity.updated', { entityType: 'settlement', ...created(made) });
    return made;
  },
});

export const listSettlements = query('settlement.list', {
  summary: 'The settlements of a kingdom, the oldest first',
  description: 'Without variables: those are with each settlement.',
  tag,
  http: 'GET /kingdoms/:kingdomId/settlements',
  input: ListInKingdom,
  output: SettlementPage,
  refuses: ['not_found'],
  async run({ actor, db }, { kingdomId, limit = defaultPageSize, cursor }) {
    const after = readCursor(IdPosition, cursor);
    const rows = await db
      .select(settlementFaceColumns)
      .from(settlements)
      .where(and(eq(settlements.kingdomId, kingdomId), after && gt(settlements.id, after[0])))
      .orderBy(asc(settlements.id))
      .limit(limit + 1);
    if (!(await findOwnKingdoms(db, actor.userId, [kingdomId])).has(kingdomId)) throw noSuchKingdom();
    return toPage(
      rows,
      limit,
      ({ id }) => [id],
      (row) => row,
    );
  },
});

export const getSettlement = query('settlement.get', {
  summary: 'A settlement',
  tag,
  http: 'GET /settlements/:settlementId',
  input: SettlementPath,
  output: Settlement,
  refuses: ['not_found'],
  async run({ actor, db }, { settlementId }) {
    const found = await readSettlement(db, settlementId);
    const own = await findOwnSettlements(db, actor.userId, [settlementId]);
    if (!own.has(settlementId)) throw noSuchSettlement();
    return found;
  },
});

export const updateSettlement = command('settlement.update', {
  summary: 'Change a settlement, as an editor',
  description:
    'What is left out stays. `variables` and `variableSchemas` take the place of all that are there; together they must fit, ' +
    'be it that only one of them is given.',
  tag,
  http: 'PATCH /settlements/:settlementId',
  limit: changesPerMinute,
  input: UpdateSettlement,
  output: Settlement,
  refuses: ['forbidden', 'not_found', 'conflict'],
  check: checkVaried,
  async run({ actor, tx, emit }, { settlementId, version, ...given }) {
    const locked = await lockSettlement(tx, settlementId, actor.userId, 'editor');
    const { entity, campaign: within, departedIds } = locked;
    requireVersion(entity, version);
    const fields = listChanged(entity, given);
    if (fields.length === 0) return entity;
    const changed = change(entity, given, fields);
    requireFit(changed);
    await requireRoomForTexts(tx, within.id, entity, changed);
    const { id: _, kingdomId: __, ...columns } = changed;
    await tx.update(settlements).set(columns).where(eq(settlements.id, settlementId));
    emit(
      [campaign.on(within.id), settlement.on(settlementId)],
      'settlement.updated',
      { entityType: 'settlement', ...updated(changed, fields) },
      { withheldFrom: departedIds },
    );
    const topic = settlementTopic(settlementId);
    const stale = listStaleVariables(topic, entity.variables, changed.variables);
    invalidate(emit, within.id, 'settlement', stale, 'settlement.updated');
    return changed;
  },
});

export const deleteSettlement = command('settlement.delete', {
  summary: 'Delete a settlement with its structures, as an editor',
  tag,
  http: 'DELETE /settlements/:settlementId',
  limit: changesPerMinute,
  input: SettlementPath,
  output: Deleted,
  refuses: ['forbidden', 'not_found'],
  async run({ actor, tx, emit }, { settlementId }) {
    const locked = await lockSettlement(tx, settlementId, actor.userId, 'editor');
    await deleteWithContents(tx, emit, locked, settlementId);
    return { id: settlementId };
  },
});
