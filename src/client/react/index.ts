// The client in React: `carillon/client/react`. A provider with the client, and hooks for the components below it.

export { ConnectionIndicator } from './connection-indicator.tsx';
export { useClient } from './context.ts';
export { CarillonProvider, type CarillonProviderProps } from './provider.tsx';
export { useCommand } from './use-command.ts';
export { type UsedConnection, useConnection } from './use-connection.ts';
export { useEvent } from './use-event.ts';
export { type UsedTopic, useTopic } from './use-topic.ts';
