CREATE TABLE "offers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"chat_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"created_by" uuid NOT NULL,
	"recipient_id" uuid NOT NULL,
	"title" text NOT NULL,
	"amount" numeric(15, 3) NOT NULL,
	"currency" text NOT NULL,
	"note" text,
	"status" text NOT NULL,
	"parent_id" uuid,
	"round" integer NOT NULL,
	"is_listed" boolean NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"version" integer NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "offers_chat_seq" UNIQUE("chat_id","seq")
);
--> statement-breakpoint
ALTER TABLE "offers" ADD CONSTRAINT "offers_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "offers" ADD CONSTRAINT "offers_recipient_id_users_id_fk" FOREIGN KEY ("recipient_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "offers" ADD CONSTRAINT "offers_parent_id_offers_id_fk" FOREIGN KEY ("parent_id") REFERENCES "public"."offers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "offers_creator" ON "offers" USING btree ("created_by","status","created_at","id");--> statement-breakpoint
CREATE INDEX "offers_recipient" ON "offers" USING btree ("recipient_id","status","created_at","id");--> statement-breakpoint
CREATE INDEX "offers_pending" ON "offers" USING btree ("chat_id","created_by") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "offers_listed" ON "offers" USING btree ("chat_id","seq") WHERE status = 'pending' AND is_listed;--> statement-breakpoint
CREATE INDEX "offers_due" ON "offers" USING btree ("expires_at") WHERE status = 'pending';