"""Published run folders to what people read: tables, findings, claims, sheets and pages. No Keras here."""
