// What goes over the wire: inputs, outputs, the table of events and the states. Browser-safe.

import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { type DurableEvent, durable } from '../../protocol/events.ts';
import { pageOf, pageQuery } from '../../protocol/paging.ts';
import {
  exampleId,
  Id,
  Instant,
  instantPattern,
  line,
  Profile,
  prosePattern,
  text,
} from '../../protocol/values.ts';

/** For whoever cannot load the kinds of topic: they name the same. */
export const campaignTopic = (campaignId: string): string => `campaign:${campaignId}`;
export const settlementTopic = (settlementId: string): string => `settlement:${settlementId}`;
export const structureTopic = (structureId: string): string => `structure:${structureId}`;

/** How many campaigns one user owns. */
export const maxOwned = 50;
/** In one campaign. */
export const maxMembers = 100;
export const maxKingdoms = 100;
export const maxSettlements = 500;
export const maxStructures = 2_000;
/** What a snapshot shows of the kingdoms, settlements and structures of a campaign, as JSON in UTF-8. */
export const maxFacesBytes = 500_000;
/** Of a settlement or structure. */
export const maxVariables = 32;
export const maxVariablesBytes = 4_096;
export const maxSchemasBytes = 16_384;
export const maxLevel = 100;
/** 100 years of 365.25 days. */
export const maxStepSeconds = 3_155_760_000;
/** How many keys one `state.invalidated` names; further ones come in further events. */
export const maxInvalidatedKeys = 100;

const strict = { additionalProperties: false };

export const Role = Type.Union([Type.Literal('owner'), Type.Literal('editor'), Type.Literal('viewer')], {
  description: 'Viewers read, editors write, the owner also manages members and deletes',
});
export type Role = Static<typeof Role>;

/** What the owner gives to others. */
const GivenRole = Type.Union([Type.Literal('editor'), Type.Literal('viewer')]);

const Name = Type.String({ minLength: 1, maxLength: 100, ...line, examples: ['Northmark'] });
const Kind = Type.String({ minLength: 1, maxLength: 50, ...line, examples: ['temple'] });
const Description = Type.String({
  maxLength: 2_000,
  pattern: prosePattern,
  description: 'Text; of the control characters only tab, line feed and carriage return',
});
const Level = Type.Integer({ minimum: 0, maximum: maxLevel });
const Version = Type.Integer({ minimum: 1, maximum: 2_147_483_647 });
const KnownVersion = Type.Integer({
  ...Version,
  description: 'The one that the change is about; of a newer one it is a `conflict` with the current entity',
});
const WorldTime = Type.String({ ...Instant, description: 'ISO 8601, UTC, years 0001 to 9999' });
const GivenTime = Type.String({
  pattern: instantPattern,
  description: 'An instant in the years 0001 to 9999: ISO 8601 in UTC',
  examples: ['1203-04-05T06:00:00.000Z'],
});

const VariableName = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
  description: 'A letter or _, then letters, digits and _; not __proto__, constructor or prototype',
  examples: ['population'],
});
export const VariableValue = Type.Union([
  Type.String({ maxLength: maxVariablesBytes, ...text }),
  Type.Number(),
  Type.Boolean(),
]);
export type VariableValue = Static<typeof VariableValue>;

export const Variables = Type.Record(Type.String(), VariableValue, {
  description: `By name: up to ${maxVariables} that fit their schemas, of up to ${maxVariablesBytes} bytes together as JSON in UTF-8`,
});
export type Variables = Static<typeof Variables>;

export const VariableSchema = Type.Union(
  [
    Type.Object(
      {
        name: VariableName,
        type: Type.Literal('number'),
        min: Type.Optional(Type.Number()),
        max: Type.Optional(Type.Number()),
      },
      strict,
    ),
    Type.Object({ name: VariableName, type: Type.Literal('string') }, strict),
    Type.Object({ name: VariableName, type: Type.Literal('boolean') }, strict),
    Type.Object(
      {
        name: VariableName,
        type: Type.Literal('enum'),
        options: Type.Array(Type.String({ minLength: 1, maxLength: 100, ...line }), {
          minItems: 1,
          maxItems: 50,
        }),
      },
      strict,
    ),
  ],
  { title: 'VariableSchema' },
);
export type VariableSchema = Static<typeof VariableSchema>;

const VariableSchemas = Type.Array(VariableSchema, {
  maxItems: maxVariables,
  description: `What the variables must be like, each name once, of up to ${maxSchemasBytes} bytes together as JSON in UTF-8`,
});

// Outputs

export const Campaign = Type.Object(
  {
    id: Id,
    name: Type.String(),
    description: Type.String(),
    ownerId: Id,
    worldTime: WorldTime,
    version: Type.Integer({ ...Version, description: 'World time goes on without a new one' }),
  },
  { title: 'Campaign' },
);
export type Campaign = Static<typeof Campaign>;

export const ListedCampaign = Type.Object(
  { ...Campaign.properties, role: Type.Union(Role.anyOf, { description: 'Mine' }) },
  { title: 'ListedCampaign' },
);
export type ListedCampaign = Static<typeof ListedCampaign>;

export const Member = Type.Object({ userId: Id, role: Role, joinedAt: Instant }, { title: 'CampaignMember' });
export type Member = Static<typeof Member>;

export const Kingdom = Type.Object(
  { id: Id, campaignId: Id, name: Type.String(), version: Version, createdAt: Instant, updatedAt: Instant },
  { title: 'Kingdom' },
);
export type Kingdom = Static<typeof Kingdom>;

const settlement = { id: Id, kingdomId: Id, name: Type.String(), level: Level, version: Version };
const structure = {
  id: Id,
  settlementId: Id,
  name: Type.String(),
  type: Type.String(),
  level: Level,
  version: Version,
};
const varied = { variables: Variables, variableSchemas: Type.Array(VariableSchema) };

/** Without its variables: what the campaign shows of it. */
export const SettlementFace = Type.Object(settlement, { title: 'SettlementFace' });
export type SettlementFace = Static<typeof SettlementFace>;
export const Settlement = Type.Object({ ...settlement, ...varied }, { title: 'Settlement' });
export type Settlement = Static<typeof Settlement>;

export const StructureFace = Type.Object(structure, { title: 'StructureFace' });
export type StructureFace = Static<typeof StructureFace>;
export const Structure = Type.Object({ ...structure, ...varied }, { title: 'Structure' });
export type Structure = Static<typeof Structure>;

export const CampaignTree = Type.Object(
  {
    campaign: Campaign,
    kingdoms: Type.Array(
      Type.Object({
        ...Kingdom.properties,
        settlements: Type.Array(Type.Object({ ...settlement, structures: Type.Array(StructureFace) })),
      }),
    ),
  },
  { title: 'CampaignTree' },
);
export type CampaignTree = Static<typeof CampaignTree>;

export const CampaignPage = pageOf(ListedCampaign, 'CampaignPage');
export const MemberPage = pageOf(Member);
export const KingdomPage = pageOf(Kingdom);
/** Faces: a page of whole ones could be larger than a frame should be. */
export const SettlementPage = pageOf(SettlementFace, 'SettlementPage');
export const StructurePage = pageOf(StructureFace, 'StructurePage');

/** What a deletion answers. */
export const Deleted = Type.Object({ id: Id }, { title: 'DeletedEntity' });
export const Departure = Type.Object({ campaignId: Id, userId: Id }, { title: 'CampaignDeparture' });

export const WorldTimeChange = Type.Object(
  {
    previous: WorldTime,
    current: WorldTime,
    elapsedSeconds: Type.Number({ description: 'With fractions where the step had milliseconds' }),
  },
  { title: 'WorldTimeChange' },
);
export type WorldTimeChange = Static<typeof WorldTimeChange>;

// Inputs

export const CreateCampaign = Type.Object(
  {
    name: Name,
    description: Type.Optional(Description),
    worldTime: Type.Optional(
      Type.String({ ...GivenTime, description: `${GivenTime.description}. Left out: the present` }),
    ),
  },
  strict,
);
export type CreateCampaign = Static<typeof CreateCampaign>;

export const ListCampaigns = Type.Object(pageQuery, strict);
export const CampaignPath = Type.Object({ campaignId: Id }, strict);
export const ListInCampaign = Type.Object({ campaignId: Id, ...pageQuery }, strict);
export const UpdateCampaign = Type.Object(
  {
    campaignId: Id,
    version: KnownVersion,
    name: Type.Optional(Name),
    description: Type.Optional(Description),
  },
  { ...strict, examples: [{ campaignId: exampleId, version: 1, name: 'The long winter' }] },
);

export const AdvanceTime = Type.Object(
  {
    campaignId: Id,
    advanceSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: maxStepSeconds })),
    to: Type.Optional(GivenTime),
  },
  { ...strict, examples: [{ campaignId: exampleId, advanceSeconds: 86_400 }] },
);
export type AdvanceTime = Static<typeof AdvanceTime>;

export const HandOver = Type.Object({ campaignId: Id, userId: Id }, strict);

export const AddMember = Type.Object(
  {
    campaignId: Id,
    userId: Id,
    role: Type.Optional(Type.Union(GivenRole.anyOf, { description: '`viewer` where it is left out' })),
  },
  strict,
);
export const MemberPath = Type.Object({ campaignId: Id, userId: Id }, strict);
export const ChangeRole = Type.Object({ campaignId: Id, userId: Id, role: GivenRole }, strict);

export const CreateKingdom = Type.Object({ campaignId: Id, name: Name }, strict);
export const KingdomPath = Type.Object({ kingdomId: Id }, strict);
export const ListInKingdom = Type.Object({ kingdomId: Id, ...pageQuery }, strict);
export const UpdateKingdom = Type.Object(
  { kingdomId: Id, version: KnownVersion, name: Type.Optional(Name) },
  { ...strict, examples: [{ kingdomId: exampleId, version: 1, name: 'Southmark' }] },
);

const given = {
  name: Type.Optional(Name),
  level: Type.Optional(Level),
  variables: Type.Optional(
    Type.Record(Type.String(), VariableValue, {
      description: `${Variables.description}. All of them: they take the place of those that are there`,
    }),
  ),
  variableSchemas: Type.Optional(VariableSchemas),
};
/** What a settlement and a structure may be given alike. */
export type Varied = {
  readonly variables?: Variables | undefined;
  readonly variableSchemas?: readonly VariableSchema[] | undefined;
};

export const CreateSettlement = Type.Object(
  { kingdomId: Id, ...given, name: Name },
  {
    ...strict,
    examples: [
      {
        kingdomId: exampleId,
        name: 'Harrow',
        level: 2,
        variables: { population: 120 },
        variableSchemas: [{ name: 'population', type: 'number', min: 0 }],
      },
    ],
  },
);
export const SettlementPath = Type.Object({ settlementId: Id }, strict);
export const ListInSettlement = Type.Object({ settlementId: Id, ...pageQuery }, strict);
export const UpdateSettlement = Type.Object(
  { settlementId: Id, version: KnownVersion, ...given },
  { ...strict, examples: [{ settlementId: exampleId, version: 1, variables: { population: 90 } }] },
);

export const CreateStructure = Type.Object({ settlementId: Id, ...given, name: Name, type: Kind }, strict);
export const StructurePath = Type.Object({ structureId: Id }, strict);
export const UpdateStructure = Type.Object(
  { structureId: Id, version: KnownVersion, ...given, type: Type.Optional(Kind) },
  { ...strict, examples: [{ structureId: exampleId, version: 1, level: 3 }] },
);

// Events

const Operation = Type.Union([Type.Literal('created'), Type.Literal('updated'), Type.Literal('deleted')]);

const changeOf = <const Name extends string, Version extends TSchema, Entity extends TSchema>(
  entityType: Name,
  version: Version,
  entity: Entity,
) =>
  Type.Object({
    entityType: Type.Literal(entityType),
    entityId: Id,
    operation: Operation,
    changedFields: Type.Array(Type.String(), { description: 'Of an update' }),
    version,
    entity: Type.Union([entity, Type.Null()], { description: 'Null once deleted' }),
  });

const LastVersion = Type.Integer({ ...Version, description: 'The last one where it was deleted' });
const CampaignChange = changeOf('campaign', LastVersion, Campaign);
/** Its id is the user's. */
const MemberChange = changeOf('member', Type.Null(), Member);
const KingdomChange = changeOf('kingdom', LastVersion, Kingdom);
const SettlementChange = changeOf('settlement', LastVersion, Settlement);
const StructureChange = changeOf('structure', LastVersion, Structure);

export const Scope = Type.Union([
  Type.Literal('campaign'),
  Type.Literal('settlement'),
  Type.Literal('structure'),
]);
export type Scope = Static<typeof Scope>;

export const events = {
  'entity.updated': durable(
    ['campaign'],
    Type.Union([CampaignChange, MemberChange, KingdomChange, SettlementChange, StructureChange]),
  ),
  'settlement.updated': durable(['campaign', 'settlement'], SettlementChange),
  'structure.updated': durable(['campaign', 'settlement', 'structure'], StructureChange),
  'world-time.changed': durable(['campaign'], WorldTimeChange),
  'state.invalidated': durable(
    ['campaign'],
    Type.Object({
      scope: Scope,
      keys: Type.Array(Type.String(), {
        maxItems: maxInvalidatedKeys,
        description: 'Such as `settlement:<id>.variables.<name>`, `campaign:<id>.time`, `structure:<id>`',
      }),
      reason: Type.String({ description: 'The type of the event that it goes with' }),
    }),
  ),
  /** Of a member: one event with the one on `user:<id>`. */
  'profile.updated': durable(['campaign'], Profile),
  'campaign.added': durable(['user'], Type.Object({ campaign: Campaign })),
  'campaign.removed': durable(['user'], Type.Object({ campaignId: Id })),
  /** The campaign's topics below `campaign:` are lost as well. [S7] */
  'access.revoked': durable(['user'], Type.Object({ campaignId: Id })),
};
export type CampaignEvent = DurableEvent<typeof events, 'campaign'>;
export type SettlementEvent = DurableEvent<typeof events, 'settlement'>;
export type StructureEvent = DurableEvent<typeof events, 'structure'>;
export type Scoped = Static<(typeof events)['state.invalidated']['payload']>;

/** The state of a campaign, as a snapshot holds it: each list ascending by id. That of the others is the whole entity. */
export const CampaignState = Type.Object(
  {
    campaign: Campaign,
    members: Type.Array(Member),
    kingdoms: Type.Array(Kingdom),
    settlements: Type.Array(SettlementFace),
    structures: Type.Array(StructureFace),
  },
  { title: 'CampaignState' },
);
export type CampaignState = Static<typeof CampaignState>;
