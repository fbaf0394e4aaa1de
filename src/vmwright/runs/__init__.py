"""What the database knows of builds: asked for, waiting, taken, recorded, listed, gone on with."""
