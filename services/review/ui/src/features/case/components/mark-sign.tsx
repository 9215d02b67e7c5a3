const PATHS = {
  cross: 'M2 2l7 7M9 2l-7 7',
  ring: 'M2 5.5a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0',
  arrow: 'M2 9l3.5-7L9 9z',
} as const;

/** The sign that a chart draws: a ring for a doubtful sample, a cross for one set aside, an arrow to one off the scale. */
export function MarkSign({ shape }: { shape: keyof typeof PATHS }) {
  return (
    <svg className="mark-sign" width="11" height="11" viewBox="0 0 11 11" aria-hidden="true">
      <path d={PATHS[shape]} />
    </svg>
  );
}
