"""Rules that every stack of the platform keeps, judged by Pulumi before anything is made."""
