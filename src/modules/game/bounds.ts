// How much there may be of things: server and client bound it alike. Without schemas, so that a client need not load any.

/** How many running hacks the snapshots show of those on one computer. */
export const maxListed = 20;

/** The first one that every player has, and those that are bought. */
export const maxComputers = 8;
/** Of one attacker, at a time. */
export const maxRunning = 3;
/** In one hack. */
export const maxTools = 3;
export const maxDefenseLevel = 10;
