// What the compiler cannot see of the declarations, checked once at the start: a server whose modules contradict each other
// or themselves does not run.

import type { TSchema } from '@sinclair/typebox';
import { notices, typePattern } from '../protocol/envelope.ts';
import type { Module } from './module.ts';
import type { Operation } from './operation.ts';

/** Frames of the server that are no events. [E2] [E4] */
const serverFrames = new Set(['ok', 'error', 'pong', ...Object.keys(notices)]);

/** Throws an error that names what is wrong, and where. */
export function checkModules(modules: readonly Module[]): void {
  checkKinds(modules);
  checkParts(modules);
  checkEvents(modules);
  const routes = new Map<string, string>();
  const timed = new Map<string, string>();
  for (const module of modules) {
    for (const { name } of module.timed) claim(timed, name, module.name, 'timed thing');
  }
  const shapes = new Map<string, { readonly owner: string; readonly json: string }>();
  for (const operation of modules.flatMap(({ operations }) => operations)) {
    const { name, http, input, output } = operation;
    checkOperation(operation);
    const route = http?.replaceAll(/:\w+/g, ':');
    if (route !== undefined) claim(routes, route, name, 'route');
    noteShapes([input, output], name, shapes);
  }
  for (const { events } of modules) {
    for (const [type, { payload }] of Object.entries(events)) noteShapes(payload, type, shapes);
  }
}

function checkKinds(modules: readonly Module[]): void {
  const kinds = new Map<string, string>();
  for (const { name, topicKinds } of modules) {
    for (const { kind, form } of topicKinds) {
      claim(kinds, kind, name, 'kind of topic');
      if (form !== kind) claim(kinds, form, name, 'kind of topic');
    }
  }
}

function checkParts(modules: readonly Module[]): void {
  const kinds = new Map(modules.flatMap(({ topicKinds }) => topicKinds.map((kind) => [kind.kind, kind])));
  const names = new Map<string, string>();
  for (const { name: owner, snapshotParts } of modules) {
    for (const { on, name } of snapshotParts) {
      const fields = kinds.get(on)?.snapshot?.schema.properties;
      if (fields === undefined || name in fields)
        throw new Error(
          `The module ${owner} adds "${name}" to the snapshot of "${on}", which ` +
            `${fields === undefined ? 'has none' : 'has that field already'}.`,
        );
      claim(names, `${name} on ${on}`, owner, 'part of a snapshot');
    }
  }
}

function checkEvents(modules: readonly Module[]): void {
  const kinds = new Set(modules.flatMap(({ topicKinds }) => topicKinds.map(({ kind }) => kind)));
  const places = new Map<string, string>();
  const meanings = new Map<string, { readonly owner: string; readonly json: string }>();
  for (const { name, events, topicKinds } of modules) {
    for (const [type, { on, liveOn = [], payload, isDurable }] of Object.entries(events)) {
      if (!new RegExp(typePattern).test(type) || serverFrames.has(type))
        throw new Error(`The module ${name} has an event "${type}": no event can be called so.`);
      const json = JSON.stringify({ payload, isDurable });
      const known = meanings.get(type) ?? { owner: name, json };
      meanings.set(type, known);
      if (known.json !== json)
        throw new Error(`${known.owner} and ${name} mean different things by the event ${type}.`);
      for (const kind of [...on, ...liveOn]) {
        if (!kinds.has(kind))
          throw new Error(
            `The event ${type} of the module ${name} is on "${kind}", which is no kind of topic.`,
          );
        claim(places, `${type} on ${kind}`, name, 'event');
      }
    }
    for (const { kind, events: own = {} } of topicKinds) {
      const missing = Object.keys(own).filter((type) => !(type in events));
      if (missing.length > 0)
        throw new Error(
          `The module ${name} leaves out of its events what ${kind} has: ${missing.join(', ')}.`,
        );
    }
  }
}

function checkOperation({ name, http, socket, input, output, writes }: Operation): void {
  const wrong = (what: string) => new Error(`The operation ${name}: ${what}`);
  if (!new RegExp(typePattern).test(name)) throw wrong('a name has 1 to 64 of the characters a-z 0-9 . _ -');
  if (http === undefined && socket === false)
    throw wrong('it is neither on the socket nor over HTTP, and cannot be called.');
  if (writes !== false && output?.additionalProperties === false)
    throw wrong('its output is closed (additionalProperties: false), but `events` is added to it.');
  if (http === undefined) return;
  const inPath = [...http.matchAll(/:(\w+)/g)].map(([, field = '']) => field);
  const fields: Readonly<Record<string, TSchema>> = input.properties ?? {};
  for (const field of inPath) {
    const schema = fields[field];
    if (schema === undefined) throw wrong(`the path ${http} needs a field ${field} in the input.`);
    if (!isText(schema)) throw wrong(`the field ${field} comes in the path, so it must be text.`);
  }
  if (!http.startsWith('GET ')) return;
  for (const [field, schema] of Object.entries(fields)) {
    if (!inPath.includes(field) && schema.type !== 'integer' && !isText(schema))
      throw wrong(`the field ${field} comes in the query, so it must be text or an integer.`);
  }
}

const isText = (schema: TSchema): boolean =>
  schema.type === 'string' || (Array.isArray(schema.anyOf) && schema.anyOf.every(isText));

/** Shapes with the same title have to be the same: in the documents they are one. */
function noteShapes(
  value: unknown,
  owner: string,
  shapes: Map<string, { readonly owner: string; readonly json: string }>,
): void {
  if (value === null || typeof value !== 'object') return;
  const { title } = value as TSchema; // whatever else it is, then without a title
  if (typeof title === 'string') {
    const known = shapes.get(title);
    const json = JSON.stringify(value);
    if (known === undefined) shapes.set(title, { owner, json });
    else if (known.json === json) return;
    else throw new Error(`Two shapes are called ${title}: one of ${known.owner}, the other of ${owner}.`);
  }
  for (const inner of Object.values(value)) noteShapes(inner, owner, shapes);
}

function claim(taken: Map<string, string>, what: string, owner: string, noun: string): void {
  const other = taken.get(what);
  if (other !== undefined) throw new Error(`Both ${other} and ${owner} have the ${noun} ${what}.`);
  taken.set(what, owner);
}
