ALTER TABLE "event_log" ADD COLUMN "log_id" uuid DEFAULT gen_random_uuid() NOT NULL;--> statement-breakpoint
ALTER TABLE "event_log" ADD COLUMN "history" text;