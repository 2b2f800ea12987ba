SELECT sigmasight_release.unlock();
