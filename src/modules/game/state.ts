// The states of `player:` and `computer:` as their subscribers see them, and how each event changes them. Pure and
// browser-safe. The law: apply over the durable events between two snapshots turns the first one into the second, but for
// `live`, which is computed from the clock when a snapshot is read.

import type { EventFrame } from '../../protocol/envelope.ts';
import { put } from '../../protocol/order.ts';
import { maxListed } from './bounds.ts';
import type {
  Computer,
  ComputerEvent,
  ComputerState,
  Defense,
  Hack,
  HackProgress,
  PlayerEvent,
  PlayerState,
  Unlock,
} from './contract.ts';

export type { ComputerState, PlayerState };

type Frame = Pick<EventFrame, 'type' | 'payload'>;

/** Of `player:`; the given state is left as it is. Other events on the topic change nothing here. */
export function applyPlayer(state: PlayerState, frame: Frame): PlayerState {
  const event = frame as PlayerEvent; // the server's contract; whatever else comes falls through the switch
  switch (event.type) {
    case 'hack.initiated':
      return { ...state, hacks: addHack(state, event.payload.hack) };
    case 'hack.completed':
    case 'hack.failed':
    case 'hack.aborted': {
      const { id } = event.payload.hack;
      const { attacking, defending } = state.hacks;
      const hacks = { attacking: without(attacking, id), defending: without(defending, id) };
      return { ...state, hacks, live: endProgress(state, id) };
    }
    case 'hack.progress':
      return { ...state, live: putProgress(state, event.payload) };
    case 'resources.updated':
      return { ...state, player: { ...state.player, ...event.payload } };
    case 'computer.created':
      return { ...state, computers: put(state.computers, event.payload.computer, idOf) };
    case 'progression.unlocked':
      return { ...state, unlocks: put(state.unlocks, event.payload.unlock, keyOf) };
    case 'defense.installed': {
      const { computerId, defense } = event.payload;
      const install = (computer: Computer): Computer =>
        computer.id === computerId
          ? { ...computer, defenses: put(computer.defenses, defense, typeOf) }
          : computer;
      return { ...state, computers: state.computers.map(install) };
    }
    default:
      return state; // `player.levelled` says what stands in `resources.updated`, too
  }
}

/** Of `computer:`. */
export function applyComputer(state: ComputerState, frame: Frame): ComputerState {
  const event = frame as ComputerEvent; // as above
  switch (event.type) {
    case 'hack.initiated': {
      const { hack } = event.payload;
      return hasRoom(state.hacks, hack.targetComputerId)
        ? { ...state, hacks: put(state.hacks, hack, idOf) }
        : state;
    }
    case 'hack.completed':
    case 'hack.failed':
    case 'hack.aborted': {
      const { id } = event.payload.hack;
      return { ...state, hacks: without(state.hacks, id), live: endProgress(state, id) };
    }
    case 'defense.installed':
      return { ...state, defenses: put(state.defenses, event.payload.defense, typeOf) };
    default:
      return state;
  }
}

/**
 * Whether a defender's list takes one more hack on the computer when it comes. The server asks the same, and keeps the
 * answer: a hack without a place gets none when others end.
 */
export function hasRoom(
  listed: readonly Pick<Hack, 'targetComputerId'>[],
  targetComputerId: string,
): boolean {
  return listed.filter((hack) => hack.targetComputerId === targetComputerId).length < maxListed;
}

function addHack({ player, hacks }: PlayerState, hack: Hack): PlayerState['hacks'] {
  const { attacking, defending } = hacks;
  if (hack.defenderId !== player.id) return { attacking: put(attacking, hack, idOf), defending };
  return hasRoom(defending, hack.targetComputerId)
    ? { attacking, defending: put(defending, hack, idOf) }
    : hacks;
}

const putProgress = ({ live }: Pick<PlayerState, 'live'>, progress: HackProgress) => ({
  progress: put(live.progress, progress, ({ hackId }) => hackId),
});

const endProgress = ({ live }: Pick<PlayerState, 'live'>, id: string) => ({
  progress: live.progress.filter(({ hackId }) => hackId !== id),
});

const idOf = ({ id }: { readonly id: string }): string => id;
const keyOf = ({ key }: Unlock): string => key;
const typeOf = ({ type }: Defense): string => type;

const without = (hacks: Hack[], id: string): Hack[] => hacks.filter((hack) => hack.id !== id);
