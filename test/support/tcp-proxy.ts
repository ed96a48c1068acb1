// A TCP proxy between client and server that cuts, slows and slices what passes. Settings may change at any time.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How bytes flow in one direction. */
export interface Flow {
  /** Every slice waits that long, one behind the other. */
  latencyMs: number;
  bytesPerSecond: number;
  /** No write is larger than this. */
  sliceBytes: number;
  /** Nothing passes: the sender's buffers fill up. */
  isPaused: boolean;
  /** After that many more bytes every connection is cut, be it in the middle of a frame. */
  bytesUntilCut: number;
}

export interface TcpProxy {
  readonly url: string;
  readonly port: number;
  readonly toServer: Flow;
  readonly toClient: Flow;
  /** Breaks every connection now. New ones are welcome. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const toServer = createFlow();
  const toClient = createFlow();
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {}); // the pumps hear of it
      socket.on('close', () => sockets.delete(socket));
    }
    pump(client, server, toServer, cut);
    pump(server, client, toClient, cut);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo; // a listener on a port has no other kind of address
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    toServer,
    toClient,
    cut,
    async stop() {
      listener.close();
      cut();
      await once(listener, 'close');
    },
  };
}

/** Undisturbed. */
export const createFlow = (): Flow => ({
  latencyMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  sliceBytes: 65_536,
  isPaused: false,
  bytesUntilCut: Number.POSITIVE_INFINITY,
});

/** Ends `to` behind the last byte when `from` ends, and breaks both when either breaks. */
async function pump(from: Socket, to: Socket, flow: Flow, cut: () => void): Promise<void> {
  try {
    // The end of one direction is not the end of the other.
    const chunks: AsyncIterable<Buffer> = from.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      for (let offset = 0; offset < chunk.length; ) {
        while (flow.isPaused && !to.destroyed) await Bun.sleep(5);
        const slice = chunk.subarray(offset, offset + Math.min(flow.sliceBytes, flow.bytesUntilCut));
        offset += slice.length;
        flow.bytesUntilCut -= slice.length;
        const delayMs = flow.latencyMs + (slice.length / flow.bytesPerSecond) * 1000;
        if (delayMs > 0) await Bun.sleep(delayMs);
        await write(to, slice);
        if (flow.bytesUntilCut <= 0) {
          flow.bytesUntilCut = Number.POSITIVE_INFINITY;
          cut();
        }
      }
    }
    to.end();
  } catch {
    from.destroy();
    to.destroy();
  }
}

async function write(to: Socket, slice: Buffer): Promise<void> {
  if (to.destroyed) throw new Error('The other side is gone.');
  if (!to.write(slice)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
}
