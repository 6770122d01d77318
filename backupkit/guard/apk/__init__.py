"""Android packages read as Android reads them: zip, signing block, signers, lineage, binary manifest."""
