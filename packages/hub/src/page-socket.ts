/** Header in which the Worker tells a UserHub, which nobody else can call, by which sign-in a dashboard's socket is opened. */
export const PAGE_SESSION_HEADER = "x-page-session";
