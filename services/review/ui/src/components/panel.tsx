import type { ReactNode } from 'react';

type Props = {
  id?: string;
  title: string;
  /** A short fact beside the title. */
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
};

/** One titled part of a page; links within the page may move the focus to it. */
export function Panel({ id, title, aside, children, className = '' }: Props) {
  return (
    <section className={`panel ${className}`} id={id} tabIndex={id === undefined ? undefined : -1} aria-label={title}>
      <header className="panel-head">
        <h2>{title}</h2>
        {aside === undefined ? null : <div className="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** Moves focus and view to a panel and lets it glow for a moment. */
export function showPanel(id: string): void {
  const panel = document.getElementById(id);
  if (panel === null) return;
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  panel.scrollIntoView({ behavior: calm ? 'auto' : 'smooth', block: 'nearest' });
  panel.focus({ preventScroll: true });
}
