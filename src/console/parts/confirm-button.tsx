// A button for what cannot be undone: pressed once it asks, pressed again it does it.

import { type ReactNode, useState } from 'react';

interface ConfirmButtonProps {
  readonly question: string;
  readonly isBusy: boolean;
  readonly onConfirm: () => void;
  readonly children: ReactNode;
}

export function ConfirmButton({ question, isBusy, onConfirm, children }: ConfirmButtonProps) {
  const [isAsking, setAsking] = useState(false);
  return (
    <button
      type="button"
      className="danger"
      disabled={isBusy}
      onBlur={() => setAsking(false)}
      onClick={() => {
        if (isAsking) onConfirm();
        setAsking(!isAsking);
      }}
    >
      {isAsking ? question : children}
    </button>
  );
}
