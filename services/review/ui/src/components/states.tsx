import type { ReactNode } from 'react';

import { Icon, type IconName } from '@/components/icon';
import type { Problem } from '@/lib/http';

/** Grey bars where text will be. */
export function Loading({ label, lines = 3 }: { label: string; lines?: number }) {
  return (
    <div className="loading" role="status">
      <span className="visually-hidden">{label}</span>
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} className="bone" />
      ))}
    </div>
  );
}

/** Why something is not shown, and what to do about it. */
export function ErrorState({ error, retry }: { error: Problem; retry?: () => void }) {
  const title = error.status === 403 ? 'Your role may not see this' : error.title;
  return (
    <div className="state state-error" role="alert">
      <Icon name={error.status === 403 ? 'lock' : 'warning'} size={20} />
      <div>
        <p className="state-title">{title}</p>
        <p>{error.detail}</p>
        {retry === undefined || error.status === 403 ? null : (
          <button type="button" className="button" onClick={retry}>
            Try again
          </button>
        )}
      </div>
    </div>
  );
}

/** Nothing here, and why. */
export function EmptyState({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <Icon name={icon} size={20} />
      <div>
        <p className="state-title">{title}</p>
        {children}
      </div>
    </div>
  );
}
