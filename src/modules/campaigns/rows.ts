// From rows to what goes over the wire. World time is read as text in UTC, whatever the zone of the session.

import { type SQL, sql } from 'drizzle-orm';
import type { Kingdom, Member } from './contract.ts';
import { type campaignMembers, campaigns, type kingdoms, settlements, structures } from './schema.ts';

export const campaignColumns = {
  id: campaigns.id,
  name: campaigns.name,
  description: campaigns.description,
  ownerId: campaigns.ownerId,
  worldTime: sql<string>`to_char(${campaigns.worldTime} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
  version: campaigns.version,
};

/** As the database keeps it, whatever the zone of the session. */
export const toWorldTime = (instant: Date): SQL => sql`${instant.toISOString()}::timestamptz`;

export const settlementFaceColumns = {
  id: settlements.id,
  kingdomId: settlements.kingdomId,
  name: settlements.name,
  level: settlements.level,
  version: settlements.version,
};

export const settlementColumns = {
  ...settlementFaceColumns,
  variables: settlements.variables,
  variableSchemas: settlements.variableSchemas,
};

export const structureFaceColumns = {
  id: structures.id,
  settlementId: structures.settlementId,
  name: structures.name,
  type: structures.type,
  level: structures.level,
  version: structures.version,
};

export const structureColumns = {
  ...structureFaceColumns,
  variables: structures.variables,
  variableSchemas: structures.variableSchemas,
};

export function toMember(row: typeof campaignMembers.$inferSelect): Member {
  return { userId: row.userId, role: row.role, joinedAt: row.joinedAt.toISOString() };
}

export function toKingdom(row: typeof kingdoms.$inferSelect): Kingdom {
  return {
    id: row.id,
    campaignId: row.campaignId,
    name: row.name,
    version: row.version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
