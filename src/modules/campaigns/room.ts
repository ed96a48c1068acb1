// How much a campaign holds: so many of each kind, and names that all fit into one snapshot [S3]. Asked behind the lock of
// the campaign, so that two changes at once cannot both take the last place.

import { type SQL, sql } from 'drizzle-orm';
import { type Db, queryRows } from '../../db/database.ts';
import { AppError } from '../../protocol/errors.ts';
import {
  type Kingdom,
  maxFacesBytes,
  maxKingdoms,
  maxSettlements,
  maxStructures,
  type SettlementFace,
  type StructureFace,
} from './contract.ts';

type Texts = Readonly<Record<'name', string> & Partial<Record<'type', string>>>;
type Kind = keyof typeof limits;

/** Throws `conflict` where the campaign has no room for one more of the kind with these texts. */
export async function requireRoomForOne(tx: Db, campaignId: string, kind: Kind, texts: Texts): Promise<void> {
  const held = await measure(tx, campaignId);
  if (held[kind] >= limits[kind]) {
    throw new AppError('conflict', `A campaign has at most ${limits[kind]} ${kind}. Delete some first.`);
  }
  requireBytes(held.bytes + emptyBytes[kind] + bytesOf(texts));
}

/** Throws `conflict` where the campaign has no room for these texts in the place of others. */
export async function requireRoomForTexts(
  tx: Db,
  campaignId: string,
  before: Texts,
  after: Texts,
): Promise<void> {
  const added = bytesOf(after) - bytesOf(before);
  if (added <= 0) return; // always: who is over the limit gets below it in this way
  requireBytes((await measure(tx, campaignId)).bytes + added);
}

const limits = { kingdoms: maxKingdoms, settlements: maxSettlements, structures: maxStructures };

const id = '00000000-0000-7000-8000-000000000000';
const instant = '2026-11-21T09:30:00.000Z';
/** Numbers as long as they get, so that a face grows by its texts alone. */
const longest = { level: 100, version: 2_147_483_647 };
const emptyFaces: { kingdoms: Kingdom; settlements: SettlementFace; structures: StructureFace } = {
  kingdoms: {
    id,
    campaignId: id,
    name: '',
    version: longest.version,
    createdAt: instant,
    updatedAt: instant,
  },
  settlements: { id, kingdomId: id, name: '', ...longest },
  structures: { id, settlementId: id, name: '', type: '', ...longest },
};
const quotes = 2;
/** Of a face but for its texts, with the comma behind it. */
const emptyBytes: Readonly<Record<Kind, number>> = {
  kingdoms: jsonBytes(emptyFaces.kingdoms) - quotes + 1,
  settlements: jsonBytes(emptyFaces.settlements) - quotes + 1,
  structures: jsonBytes(emptyFaces.structures) - 2 * quotes + 1,
};

interface Held extends Readonly<Record<Kind, number>> {
  /** Of all faces, as JSON in UTF-8. */
  readonly bytes: number;
}

/** One statement over at most 2,600 rows. */
async function measure(tx: Db, campaignId: string): Promise<Held> {
  const [held] = await queryRows<Record<keyof Held, number>>(
    tx,
    sql`
      WITH own_kingdoms AS (SELECT id, name FROM kingdoms WHERE campaign_id = ${campaignId}),
      own_settlements AS (
        SELECT id, name FROM settlements WHERE kingdom_id IN (SELECT id FROM own_kingdoms)
      ),
      own_structures AS (
        SELECT name, type FROM structures WHERE settlement_id IN (SELECT id FROM own_settlements)
      ),
      faces AS (
        SELECT 'kingdoms' AS kind, ${textBytes(sql`name`)} + ${emptyBytes.kingdoms}::int AS bytes FROM own_kingdoms
        UNION ALL
        SELECT 'settlements', ${textBytes(sql`name`)} + ${emptyBytes.settlements}::int FROM own_settlements
        UNION ALL
        SELECT 'structures', ${textBytes(sql`name`)} + ${textBytes(sql`type`)} + ${emptyBytes.structures}::int
        FROM own_structures
      )
      SELECT count(*) FILTER (WHERE kind = 'kingdoms')::int AS kingdoms,
        count(*) FILTER (WHERE kind = 'settlements')::int AS settlements,
        count(*) FILTER (WHERE kind = 'structures')::int AS structures,
        coalesce(sum(bytes), 0)::int AS bytes
      FROM faces`,
  );
  if (held === undefined) throw new Error('A sum without a row.');
  return held;
}

/** As JSON.stringify writes names: lines of text, in which nothing but quotes and backslashes is escaped. */
const textBytes = (column: SQL): SQL => sql`octet_length(to_json(${column})::text)`;

function bytesOf({ name, type }: Texts): number {
  return jsonBytes(name) + (type === undefined ? 0 : jsonBytes(type));
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function requireBytes(bytes: number): void {
  if (bytes <= maxFacesBytes) return;
  throw new AppError(
    'conflict',
    `The kingdoms, settlements and structures of a campaign have at most ${maxFacesBytes} bytes together, as its ` +
      'snapshot shows them. Take shorter names, or delete some.',
  );
}
